import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Logger, QueueEvent, QueueEvents, Storage } from "@taskq/core";
import { memoryStorage } from "@taskq/memory";
import { sqliteStorage } from "@taskq/sqlite";
import { onTestFinished } from "vitest";

/** A fresh storage, gone with the test. */
export type StorageMaker = () => Promise<Storage>;

const memory: StorageMaker = () => Promise.resolve(memoryStorage());

const sqlite: StorageMaker = async () => sqliteStorage({ path: join(await temporaryFolder(), "jobs.db") });

/** A folder that is gone with the test. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "taskq-consumer-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** The storages that every test of the consumer's work is run with. */
export const storages: readonly (readonly [string, StorageMaker])[] = [
  ["memory", memory],
  ["SQLite", sqlite],
];

export function sleep(delay: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, delay));
}

/** Resolves once the condition holds; rejects when it does not within the limit, in milliseconds. */
export async function until(condition: () => boolean | Promise<boolean>, limit = 20_000): Promise<void> {
  const end = performance.now() + limit;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`not within ${limit} ms: ${condition.toString()}`);
    await sleep(2);
  }
}

/** The least of a few attempts, in milliseconds: what else the machine does only adds to a time. Stops at one under the limit. */
export async function leastOf(limit: number, attempt: () => Promise<number>): Promise<number> {
  let least = Infinity;
  for (let count = 0; count < 5 && least >= limit; count += 1) least = Math.min(least, await attempt());
  return least;
}

/** A promise that the test resolves. */
export class Gate {
  readonly opened: Promise<void>;
  open: () => void = () => {};

  constructor() {
    this.opened = new Promise((resolve) => {
      this.open = resolve;
    });
  }
}

interface LogLine {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly fields: unknown;
  readonly message: string | undefined;
}

/** A logger that keeps its lines. */
export function recordingLogger(): Logger & { readonly lines: LogLine[] } {
  const lines: LogLine[] = [];
  const write = (level: LogLine["level"]) => (fields: object | string, message?: string) => {
    lines.push({ level, fields, message: typeof fields === "string" ? fields : message });
  };
  return { lines, debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
}

interface Heard {
  on(types: "*", listener: (event: QueueEvent) => void): Disposable;
}

/** The events of a queue, as `type id`-less names in the order they came. */
export function recordEvents(queue: Heard): QueueEvent[] {
  const events: QueueEvent[] = [];
  queue.on("*", (event) => void events.push(event));
  return events;
}

/** Those of one type. */
export function only<Type extends keyof QueueEvents>(
  events: readonly QueueEvent[],
  type: Type,
): Extract<QueueEvent, { type: Type }>[] {
  return events.filter((event): event is Extract<QueueEvent, { type: Type }> => event.type === type);
}

/** Whole numbers from 0 on, the same for the same seed: a linear congruential generator (Numerical Recipes, "quick and dirty"). */
export function seeded(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}
