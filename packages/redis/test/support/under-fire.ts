/** Producers and consumers that work on while somebody breaks servers and connections. */
import { createConsumer } from "@taskq/consumer";
import { createQueue, task, TaskqError } from "@taskq/core";
import { redisStorage, type RedisOptions } from "../../src/index.js";

export interface UnderFireOptions {
  readonly storage: RedisOptions;
  /** Breaks things, until the signal aborts; what it has broken is whole when it resolves. */
  readonly break: (signal: AbortSignal) => Promise<void>;
  /** How long. */
  readonly milliseconds: number;
  readonly lease?: `${number}s`;
  /** Whether an enqueue may be refused with `TASKQ_STORAGE` meanwhile. @default false */
  readonly refused?: boolean;
}

/** What came of it. */
export interface Aftermath {
  /** Jobs whose enqueue resolved, at once or when it was asked again under the same id. */
  readonly accepted: number;
  readonly completed: number;
  /** Of the queue, when all is over: everything that is not completed. */
  readonly left: number;
  /** Handlers that ran although the job had been run to its end. */
  readonly duplicates: number;
  readonly leasesLost: number;
  /** The longest that one enqueue took to settle. */
  readonly longestCall: number;
  readonly unavailable: number;
  /** From when all was whole again until the next run of a handler. */
  readonly resumedAfter: number;
}

const PRODUCERS = 4;
const CONSUMERS = 2;
const QUEUE = "fire";

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
  const make = () =>
    createQueue({ name: QUEUE, storage: redisStorage(options.storage), tasks: { count, after } });
  const queues = Array.from({ length: CONSUMERS }, make);
  const producer = make();
  let leasesLost = 0;
  for (const queue of queues) queue.on("lease-lost", () => void (leasesLost += 1));
  const consumers = queues.map((queue) => createConsumer(queue, { lease: options.lease ?? "10s" }));
  await Promise.all(consumers.map((consumer) => consumer.start()));

  const over = new AbortController();
  const told = { accepted: 0, unavailable: 0, longestCall: 0 };
  const produce = async (name: number): Promise<void> => {
    for (let n = 0; !over.signal.aborted; n += 1) {
      const id = `${name}-${n}`;
      const flow = n % 5 === 0;
      await accepted(
        () =>
          flow
            ? producer.enqueue(count.job(id).pipe(after), { id })
            : producer.enqueue(count.job(id), { id }),
        told,
        options.refused === true,
      );
      told.accepted += flow ? 2 : 1;
      await pause(2);
    }
  };
  const producing = Promise.all(Array.from({ length: PRODUCERS }, (_, name) => produce(name)));
  producing.catch(() => {});
  // everything is open before the first thing breaks
  await until(() => told.accepted > 0);
  const breaking = new AbortController();
  const broken = options.break(breaking.signal);
  await pause(options.milliseconds);
  breaking.abort();
  await broken;
  const whole = performance.now();
  await until(() => last.run >= whole);
  const resumedAfter = last.run - whole;
  over.abort();
  await producing;
  const { completed, left } = await untilDone(producer, told.accepted);
  await Promise.all(consumers.map((consumer) => consumer.stop()));
  await Promise.all([...queues, producer].map((queue) => queue.close()));
  const duplicates = [...runs.values()].filter((times) => times > 1).length;
  return { ...told, completed, left, duplicates, leasesLost, resumedAfter };
}

/** Asks until it is accepted, under the same id; an error other than one of an outage is thrown. */
async function accepted(
  enqueue: () => Promise<unknown>,
  told: { unavailable: number; longestCall: number },
  refused: boolean,
): Promise<void> {
  for (;;) {
    const begun = performance.now();
    try {
      await enqueue();
      told.longestCall = Math.max(told.longestCall, performance.now() - begun);
      return;
    } catch (error) {
      told.longestCall = Math.max(told.longestCall, performance.now() - begun);
      const code = error instanceof TaskqError ? error.code : undefined;
      if (code !== "TASKQ_UNAVAILABLE" && !(refused && code === "TASKQ_STORAGE")) throw error;
      told.unavailable += 1;
      await pause(5);
    }
  }
}

async function untilDone(
  queue: { counts(): Promise<unknown> },
  expected: number,
): Promise<{ completed: number; left: number }> {
  const end = performance.now() + 40_000;
  for (;;) {
    const { completed = 0, ...others } = (await queue.counts()) as Record<string, number>;
    const left = Object.values(others).reduce((sum, each) => sum + each, 0);
    if ((left === 0 && completed >= expected) || performance.now() > end) return { completed, left };
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
