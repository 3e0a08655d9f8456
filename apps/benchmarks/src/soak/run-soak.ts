import { statSync } from "node:fs";
import { join } from "node:path";
import { pause } from "../clock.js";
import { checkIntegrity } from "../integrity.js";
import { watchLoopDelay } from "../loop-delay.js";
import { startRole, type RunningRole } from "../roles/start-role.js";
import type { SoakConsumerAnswer } from "./consumer-role.js";
import type { SoakProducerAnswer } from "./producer-role.js";

export interface SoakOptions {
  readonly folder: string;
  readonly producers: number;
  readonly consumers: number;
  readonly seconds: number;
  /** Jobs a second of each producer. */
  readonly rate: number;
}
export interface SoakReport {
  readonly stored: number;
  readonly ran: number;
  /** Jobs that ran more than once. */
  readonly repeated: number;
  readonly unfinished: number;
  readonly errors: readonly string[];
  /** Milliseconds, by process. */
  readonly producerDelays: readonly number[];
  readonly consumerDelays: readonly number[];
  /** Of this process, which does nothing meanwhile: how late the machine alone makes a process. */
  readonly ownDelay: number;
  /** The largest seen. */
  readonly walBytes: number;
  readonly fileBytes: number;
  readonly integrity: string;
}

/** Numbers of one producer's jobs. */
const SHARE = 10_000_000;
/** How long consumers may take for what is left when the producers have ended. */
const CATCH_UP = 60_000;

/** Producers and consumers on one file for a while, watched from outside. */
export async function runSoak(options: SoakOptions): Promise<SoakReport> {
  const path = join(options.folder, "queue.db");
  const consumers: RunningRole<SoakConsumerAnswer>[] = [];
  const producers: RunningRole<SoakProducerAnswer>[] = [];
  for (let index = 0; index < options.consumers; index += 1) {
    consumers.push(startRole("soak-consumer", { path }));
    await consumers.at(-1)?.ready;
  }
  for (let index = 0; index < options.producers; index += 1) {
    const { seconds, rate } = options;
    producers.push(startRole("soak-producer", { path, from: index * SHARE, seconds, rate }));
    await producers.at(-1)?.ready;
  }
  const counts = consumers.map(() => 0);
  for (const [index, consumer] of consumers.entries())
    consumer.onProgress((count) => (counts[index] = count));

  const wal = watchSize(`${path}-wal`);
  const ownLoop = watchLoopDelay();
  for (const role of [...consumers, ...producers]) role.go();
  const produced = await Promise.all(producers.map(({ answer }) => answer));
  const stored = produced.reduce((sum, each) => sum + each.stored, 0);
  const limit = performance.now() + CATCH_UP;
  while (counts.reduce((sum, count) => sum + count, 0) < stored && performance.now() < limit) await pause(50);

  const consumed: SoakConsumerAnswer[] = [];
  for (const consumer of consumers) {
    consumer.stop();
    consumed.push(await consumer.answer);
  }
  const ownDelay = ownLoop.p999();
  const walBytes = wal.largest();
  return {
    stored,
    ...countRuns(consumed),
    unfinished: consumed.at(-1)?.unfinished ?? 0,
    errors: [...produced, ...consumed].flatMap(({ errors }) => errors),
    producerDelays: produced.map(({ loopDelayP999 }) => loopDelayP999),
    consumerDelays: consumed.map(({ loopDelayP999 }) => loopDelayP999),
    ownDelay,
    walBytes,
    fileBytes: sizeOf(path),
    integrity: checkIntegrity(path),
  };
}

function countRuns(consumed: readonly SoakConsumerAnswer[]): { ran: number; repeated: number } {
  const all = new Map<number, number>();
  for (const { runs } of consumed) {
    for (const [n, count] of runs) all.set(n, (all.get(n) ?? 0) + count);
  }
  return { ran: all.size, repeated: [...all.values()].filter((count) => count > 1).length };
}

/** Looks every 100 ms. */
function watchSize(path: string): { largest(): number } {
  let largest = 0;
  const timer = setInterval(() => {
    largest = Math.max(largest, sizeOf(path));
  }, 100);
  return {
    largest() {
      clearInterval(timer);
      return largest;
    },
  };
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
