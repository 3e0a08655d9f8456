/** Good messages alone, then as many malformed ones among them. */
import { setTimeout as sleep } from "node:timers/promises";
import { malformedMessages } from "@taskq/conformance";
import { createConsumer } from "@taskq/consumer";
import { compressed, createQueue, jsonSerializer, task, type Queue } from "@taskq/core";
import { deferred } from "../deferred.js";
import { seededRandom } from "../random.js";
import type { HostileStore } from "./stores.js";

export interface HostileOptions {
  /** Good ones, and as many malformed ones. */
  readonly jobs: number;
  readonly runs: number;
  readonly seed: number;
  readonly serializer: "default" | "compressed";
  /** So many malformed ones stand in a row, and as many good ones around them. */
  readonly row: number;
  /** Milliseconds that the handler of a good one waits. */
  readonly work: number;
  /** Where nothing has become final for so many milliseconds, nothing more will: what is left is missed. @default 30,000 */
  readonly patience?: number | undefined;
  /** Calls `use` with an empty store. */
  readonly with: (use: (store: HostileStore) => Promise<void>) => Promise<void>;
}

/** Of the worst run, where it is a number of jobs; rates are medians. */
export interface HostileReport {
  /** Errors that nobody caught, and consumers that ended by themselves. */
  readonly crashes: number;
  readonly completed: number;
  /** How often handlers of good ones ran. */
  readonly ran: number;
  readonly quarantined: number;
  /** Of those, how many have a reason, and the bytes that were written. */
  readonly reasons: number;
  /** Messages dealt with in a second. */
  readonly goodRate: number;
  readonly mixedRate: number;
  /** Microseconds of CPU for each. */
  readonly goodCpu: number;
  readonly mixedCpu: number;
}

interface Round extends Pace {
  readonly completed: number;
  readonly ran: number;
  readonly quarantined: number;
  readonly reasons: number;
}

/** About a hundred bytes of JSON, as in the other benchmarks. */
interface Payload {
  readonly at: number;
  readonly to: string;
  readonly subject: string;
}
const CUSTOMER = { to: "somebody@example.org", subject: "Your order number 7777 is on its way to you" };

const WORKERS = 10;
const PATIENCE = 30_000;
/** What the reason of each begins with; a stand-in for one that was lost does not. */
const UNREADABLE = "the job cannot be read: ";

let crashes = 0;
const crashed = (error: unknown): void => {
  crashes += 1;
  console.error("nobody caught:", error);
};
process.on("uncaughtException", crashed);
process.on("unhandledRejection", crashed);

/** Rounds take turns, so that what changes on this machine changes for both; the first of each is not counted. */
export async function runHostile(options: HostileOptions): Promise<HostileReport> {
  crashes = 0;
  const good: Round[] = [];
  const mixed: Round[] = [];
  const bad = malformedMessages(options.jobs, options.seed);
  for (let run = 0; run <= options.runs; run += 1) {
    const alone = await round(options, []);
    const among = await round(options, bad);
    if (run === 0 && options.runs > 0) continue;
    good.push(alone);
    mixed.push(among);
  }
  const least = (pick: (of: Round) => number): number => Math.min(...mixed.map(pick));
  return {
    crashes,
    completed: least(({ completed }) => completed),
    ran: least(({ ran }) => ran),
    quarantined: least(({ quarantined }) => quarantined),
    reasons: least(({ reasons }) => reasons),
    goodRate: median(good.map(({ rate }) => rate)),
    mixedRate: median(mixed.map(({ rate }) => rate)),
    goodCpu: median(good.map(({ cpu }) => cpu)),
    mixedCpu: median(mixed.map(({ cpu }) => cpu)),
  };
}

async function round(
  { jobs, seed, serializer, row, work, patience = PATIENCE, with: withStore }: HostileOptions,
  bad: readonly Uint8Array[],
): Promise<Round> {
  let answer: Round | undefined;
  await withStore(async (store) => {
    let ran = 0;
    const add = task("add", async ({ at }: Payload) => {
      ran += 1;
      if (work > 0) await sleep(work);
      return at;
    });
    const queue = createQueue({
      storage: store.storage,
      tasks: { add },
      ...(serializer === "compressed" ? { serializer: compressed(jsonSerializer()) } : {}),
    });
    const random = seededRandom(seed);
    const written = new Map<string, Uint8Array>();
    let next = 0;
    for (let from = 0; from < jobs; from += row) {
      const count = Math.min(row, jobs - from);
      const entries = Array.from({ length: count }, (_, at) => add.job({ at: from + at, ...CUSTOMER }));
      const half = Math.floor(random() * count);
      await queue.enqueueMany(entries.slice(0, half));
      const bodies = bad.slice(next, next + count);
      next += bodies.length;
      const ids = bodies.length === 0 ? [] : await store.put(queue, bodies);
      for (const [index, id] of ids.entries()) written.set(id, bodies[index] ?? new Uint8Array());
      await queue.enqueueMany(entries.slice(half));
    }
    const pace = await consume(queue, jobs + bad.length, patience);
    const { completed, quarantined } = await queue.counts();
    answer = { ...pace, completed, quarantined, ran, reasons: await reasonsOf(queue, written) };
    await queue.close();
  });
  if (answer === undefined) throw new Error("the store was not used");
  return answer;
}

interface Pace {
  /** Messages dealt with in a second, from the start of a consumer until the last one is final. */
  readonly rate: number;
  /** Microseconds of this process's CPU that each took. */
  readonly cpu: number;
}

async function consume(queue: Queue, messages: number, patience: number): Promise<Pace> {
  let final = 0;
  let before = 0;
  const all = deferred<void>();
  const watching = setInterval(() => {
    if (final === before) all.resolve();
    before = final;
  }, patience);
  using _ = queue.on(["completed", "quarantined", "failed", "skipped", "cancelled", "expired"], () => {
    final += 1;
    if (final === messages) all.resolve();
  });
  const consumer = createConsumer(queue, { workers: WORKERS });
  const stopping = new AbortController();
  const cpuBefore = process.cpuUsage();
  const from = performance.now();
  const running = consumer.run({ signal: stopping.signal });
  await Promise.race([all.promise, running.catch(crashed)]);
  clearInterval(watching);
  const seconds = (performance.now() - from) / 1_000;
  const { user, system } = process.cpuUsage(cpuBefore);
  stopping.abort();
  await running.catch(() => {});
  return { rate: final / seconds, cpu: (user + system) / final };
}

async function reasonsOf(queue: Queue, written: ReadonlyMap<string, Uint8Array>): Promise<number> {
  let right = 0;
  for await (const { id, quarantine } of queue.jobs({ state: "quarantined" })) {
    const bytes = written.get(id);
    if (bytes === undefined || quarantine?.reason.startsWith(UNREADABLE) !== true) continue;
    if (Buffer.from(bytes).equals(quarantine.bytes)) right += 1;
  }
  return right;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
