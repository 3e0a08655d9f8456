/** Feeds the targets, and watches what becomes of the process. */
import { TaskqError } from "@taskq/core";
import { seededRandom } from "../random.js";
import { prototypes } from "./prototypes.js";
import { targets, type Target } from "./targets.js";

export interface FuzzOptions {
  readonly inputs: number;
  readonly seed: number;
  /** The number of the first one: one that failed is made again by its number. */
  readonly from: number;
  /** Only of this target. */
  readonly only: string | undefined;
}

export interface FuzzReport {
  /** Inputs for each target. */
  readonly fed: ReadonlyMap<string, number>;
  /** Those that were refused, with an error of ours. */
  readonly refused: number;
  readonly faults: readonly string[];
  /** The longest that one took, in milliseconds. */
  readonly longest: number;
  readonly longestOf: string;
  /** Resident bytes, beyond those before. */
  readonly grown: number;
  readonly polluted: readonly string[];
}

/** Longer than this, an input is tried again: something else may have kept the processor. */
const SUSPICIOUS = 10;
const TRIES = 3;
const LOOK_EVERY = 5_000;
const MOST_FAULTS = 20;

export async function runFuzz(options: FuzzOptions): Promise<FuzzReport> {
  const { inputs, seed, from, only } = options;
  const turns = turnsOf(only);
  const before = prototypes();
  const uncaught: string[] = [];
  const hear = (error: unknown): void => void uncaught.push(`nobody caught: ${textOf(error)}`);
  process.on("uncaughtException", hear).on("unhandledRejection", hear);
  const fed = new Map<string, number>();
  const faults: string[] = [];
  const polluted = new Set<string>();
  let [refused, longest, longestOf, most] = [0, 0, "", 0];
  let resident: number | undefined;
  for (
    let number = from;
    number < from + inputs && faults.length + uncaught.length < MOST_FAULTS;
    number += 1
  ) {
    const target = turns[number % turns.length];
    if (target === undefined) break;
    const label = `${target.name}, --seed ${seed} --from ${number} --inputs 1${only === undefined ? "" : ` --only "${only}"`}`;
    const end = await feed(target, seed, number);
    fed.set(target.name, (fed.get(target.name) ?? 0) + 1);
    if (end.fault !== undefined) faults.push(`${label}: ${end.fault}`);
    if (end.refused) refused += 1;
    if (end.took > longest) [longest, longestOf] = [end.took, label];
    if (number % LOOK_EVERY !== 0) continue;
    for (const change of changes(before, prototypes())) polluted.add(`${change}, up to input ${number}`);
    // Whoever listens in the background has a turn.
    await new Promise(setImmediate);
    const { rss } = process.memoryUsage();
    resident ??= rss;
    most = Math.max(most, rss - resident);
  }
  for (const change of changes(before, prototypes())) polluted.add(change);
  process.off("uncaughtException", hear).off("unhandledRejection", hear);
  return {
    fed,
    refused,
    faults: [...faults, ...uncaught],
    longest,
    longestOf,
    grown: most,
    polluted: [...polluted],
  };
}

interface End {
  readonly refused: boolean;
  readonly fault: string | undefined;
  readonly took: number;
}

async function feed(target: Target, seed: number, number: number): Promise<End> {
  let best: End | undefined;
  for (let tries = 0; tries < TRIES && (best === undefined || best.took > SUSPICIOUS); tries += 1) {
    const read = target.make(seededRandom(Math.imul(seed, 0x9e3779b1) ^ Math.imul(number + 1, 0x85ebca6b)));
    const end = await tried(read);
    if (best === undefined || end.took < best.took || end.fault !== undefined) best = end;
    if (end.fault !== undefined) break;
  }
  return best ?? { refused: false, fault: undefined, took: 0 };
}

async function tried(read: () => unknown): Promise<End> {
  const cpu = process.cpuUsage();
  const began = performance.now();
  // Others have a share of the clock's time, and threads that collect garbage one of the processor's.
  const took = (): number => {
    const { user, system } = process.cpuUsage(cpu);
    return Math.min(performance.now() - began, (user + system) / 1_000);
  };
  try {
    const answer = read();
    if (answer instanceof Promise) await answer;
    return { refused: false, fault: undefined, took: took() };
  } catch (error) {
    const ours = error instanceof TaskqError;
    return { refused: ours, fault: ours ? undefined : textOf(error), took: took() };
  }
}

function turnsOf(only: string | undefined): readonly Target[] {
  const wanted = only === undefined ? targets : targets.filter(({ name }) => name === only);
  if (wanted.length > 0)
    return wanted.flatMap((target) => Array.from({ length: target.share }, () => target));
  throw new Error(
    `--only: expected one of ${targets.map(({ name }) => `"${name}"`).join(", ")}, got "${only}"`,
  );
}

function changes(before: ReadonlyMap<string, unknown>, now: ReadonlyMap<string, unknown>): string[] {
  const names = new Set([...before.keys(), ...now.keys()]);
  return [...names].filter((name) => !Object.is(before.get(name), now.get(name)));
}

function textOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
