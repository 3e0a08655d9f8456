/** Producers and consumers that work on while somebody breaks servers and connections. */
import { createConsumer } from "@taskq/consumer";
import { createQueue, task, TaskqError } from "@taskq/core";
import { redisStorage, type RedisOptions } from "../../src/index.js";
import { CallTimes, timedStorage } from "./timed-storage.js";

export interface UnderFireOptions {
  readonly storage: RedisOptions;
  /** Breaks things; what it has broken is whole when it resolves. */
  readonly break: (fire: Fire) => Promise<void>;
  readonly lease?: `${number}s`;
  /** Whether an enqueue may be refused with `TASKQ_STORAGE` meanwhile. @default false */
  readonly refused?: boolean;
}

/** What whoever breaks things may ask. */
export interface Fire {
  /** Resolves with the next run of a handler; `Aftermath.resumedAfter` is the longest that it took. */
  resumed(): Promise<void>;
}

/** What came of it. Durations are milliseconds. */
export interface Aftermath {
  /** Jobs whose enqueue resolved, at once or when it was asked again under the same id. */
  readonly accepted: number;
  readonly completed: number;
  /** Of the accepted ones, those that no handler was called for. */
  readonly neverRun: number;
  /** Of the queue, when all is over: everything that is not completed. */
  readonly left: number;
  /** Handlers that ran although the job had been run to its end. */
  readonly duplicates: number;
  readonly leasesLost: number;
  /** Calls of the storages, of whichever kind, and enqueues. */
  readonly calls: number;
  /** The longest that one of them, or one enqueue, took to settle. */
  readonly longestCall: number;
  /** Calls that had not settled when their storages were closed. */
  readonly hung: number;
  /** Enqueues that were refused, and asked again. */
  readonly unavailable: number;
  /** The longest from when all was whole again until the next run of a handler. */
  readonly resumedAfter: number;
}

const PRODUCERS = 4;
const CONSUMERS = 2;
export const QUEUE = "fire";
/** Given to what was called before its storage closed, in milliseconds. */
const AFTER_CLOSE = 500;
/** A queue that has come to rest says so for so long. */
const AT_REST = 1_000;

/** Runs one experiment. Every job that was accepted is run to its end before it answers, or it answers what is left. */
export async function underFire(options: UnderFireOptions): Promise<Aftermath> {
  const runs = new Map<string, number>();
  const last = { run: 0 };
  const count = task("count", { retries: 0 }, async (id: string) => {
    runs.set(id, (runs.get(id) ?? 0) + 1);
    last.run = performance.now();
    await pause(1);
    return id;
  });
  const after = task("after", { retries: 0 }, async (id: string) => {
    const own = `${id}/after`;
    runs.set(own, (runs.get(own) ?? 0) + 1);
  });
  const times = new CallTimes();
  const make = () =>
    createQueue({
      name: QUEUE,
      storage: timedStorage(redisStorage(options.storage), times),
      tasks: { count, after },
    });
  const queues = Array.from({ length: CONSUMERS }, make);
  const producer = make();
  let leasesLost = 0;
  for (const queue of queues) queue.on("lease-lost", () => void (leasesLost += 1));
  const consumers = queues.map((queue) => createConsumer(queue, { lease: options.lease ?? "10s" }));
  await Promise.all(consumers.map((consumer) => consumer.start()));

  const over = new AbortController();
  const told = { unavailable: 0 };
  const accepted = new Set<string>();
  const produce = async (name: number): Promise<void> => {
    for (let n = 0; !over.signal.aborted; n += 1) {
      const id = `${name}-${n}`;
      const flow = n % 5 === 0;
      const enqueue = (): Promise<unknown> =>
        flow ? producer.enqueue(count.job(id).pipe(after), { id }) : producer.enqueue(count.job(id), { id });
      await untilAccepted(() => times.time(enqueue), told, options.refused === true);
      accepted.add(id);
      if (flow) accepted.add(`${id}/after`);
      await pause(2);
    }
  };
  const producing = Promise.all(Array.from({ length: PRODUCERS }, (_, name) => produce(name)));
  producing.catch(() => {});
  // everything is open before the first thing breaks
  await until(() => accepted.size > 0);
  let resumedAfter = 0;
  const resumed = async (): Promise<void> => {
    const whole = performance.now();
    await until(() => last.run >= whole);
    resumedAfter = Math.max(resumedAfter, last.run < whole ? Infinity : last.run - whole);
  };
  await options.break({ resumed });
  await resumed();
  over.abort();
  await producing;
  const { completed, left } = await untilDone(producer, accepted.size);
  await Promise.all(consumers.map((consumer) => consumer.stop()));
  await Promise.all([...queues, producer].map((queue) => queue.close()));
  const settledBy = performance.now() + AFTER_CLOSE;
  while (times.pending > 0 && performance.now() < settledBy) await pause(5);
  const duplicates = [...runs.values()].filter((each) => each > 1).length;
  const { calls, longest: longestCall, pending: hung } = times;
  return {
    ...told,
    accepted: accepted.size,
    neverRun: [...accepted].filter((id) => !runs.has(id)).length,
    completed,
    left,
    duplicates,
    leasesLost,
    calls,
    longestCall,
    hung,
    resumedAfter,
  };
}

/** Asks until it is accepted, under the same id; an error other than one of an outage is thrown. */
async function untilAccepted(
  enqueue: () => Promise<unknown>,
  told: { unavailable: number },
  refused: boolean,
): Promise<void> {
  for (;;) {
    try {
      await enqueue();
      return;
    } catch (error) {
      const code = error instanceof TaskqError ? error.code : undefined;
      if (code !== "TASKQ_UNAVAILABLE" && !(refused && code === "TASKQ_STORAGE")) throw error;
      told.unavailable += 1;
      await pause(5);
    }
  }
}

/** Until all is completed, or nothing is left that could be: then jobs are lost. */
async function untilDone(
  queue: { counts(): Promise<unknown> },
  expected: number,
): Promise<{ completed: number; left: number }> {
  const end = performance.now() + 40_000;
  let moved = performance.now();
  let before = -1;
  for (;;) {
    const { completed = 0, ...others } = (await queue.counts()) as Record<string, number>;
    const left = Object.values(others).reduce((sum, each) => sum + each, 0);
    const now = performance.now();
    if (left > 0 || completed !== before) moved = now;
    before = completed;
    const isDone = left === 0 && (completed >= expected || now - moved > AT_REST);
    if (isDone || now > end) return { completed, left };
    await pause(50);
  }
}

/** For half a minute at most. */
async function until(isTrue: () => boolean): Promise<void> {
  const end = performance.now() + 30_000;
  while (!isTrue() && performance.now() < end) await pause(5);
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((done) => setTimeout(done, milliseconds));
}
