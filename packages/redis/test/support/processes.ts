/** Queues as processes have them, that wait for results of each other. */
import { setTimeout as sleep } from "node:timers/promises";
import { createConsumer, type Consumer } from "@taskq/consumer";
import { createQueue, task, type Queue } from "@taskq/core";
import type { StorageContract, WatchHint } from "@taskq/core/storage";
import { redisStorage } from "../../src/index.js";
import { afterTest } from "./closing.js";

export const double = task("double", ({ n }: { n: number }) => ({ twice: 2 * n }));
export const large = task("large", ({ n }: { n: number }) => "x".repeat(n));
export const slow = task("slow", async ({ n }: { n: number }) => {
  await sleep(n);
  return n;
});
const tasks = { double, large, slow };
export type TestQueue = Queue<keyof typeof tasks>;
export type Serializer = Parameters<typeof createQueue>[0]["serializer"];

export interface Process {
  readonly queue: TestQueue;
  /** Reads of its storage so far. */
  readonly reads: () => number;
}

export interface ProcessOptions {
  readonly url: string;
  readonly prefix: string;
  readonly database?: number;
  readonly serializer?: Serializer;
  /** Hints that are lost on the way. */
  readonly loses?: (hint: WatchHint) => boolean;
}

/** As another process would have it: connections of its own. */
export function processOf({ url, prefix, database = 0, serializer, loses }: ProcessOptions): Process {
  const storage = redisStorage({ url: `${url}/${database}`, keyPrefix: prefix });
  let reads = 0;
  const counted = new Proxy(storage, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      if (name === "read") reads += 1;
      if (name === "watch" && loses !== undefined) return losing(target as unknown as StorageContract, loses);
      return value.bind(target) as unknown;
    },
  });
  const queue = createQueue({ storage: counted, tasks, ...(serializer === undefined ? {} : { serializer }) });
  afterTest(() => queue.close());
  return { queue, reads: () => reads };
}

function losing(storage: StorageContract, loses: (hint: WatchHint) => boolean): StorageContract["watch"] {
  return (queue, listener, options) =>
    storage.watch(queue, (hint) => (loses(hint) ? undefined : listener(hint)), options);
}

export async function consumerOf(queue: TestQueue): Promise<Consumer> {
  const consumer = createConsumer(queue, { workers: 4 });
  await consumer.start();
  afterTest(() => consumer.stop());
  return consumer;
}

/** Until both sides know that they hear each other. */
export async function warm({ queue }: Process): Promise<void> {
  for (let n = 0; n < 20; n += 1) await (await queue.enqueue(double.job({ n }))).wait();
}
