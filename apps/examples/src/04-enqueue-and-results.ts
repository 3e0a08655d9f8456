/** Enqueueing answers a result: a handle on what the job yields, now or later, here or in another process. */
import { asCompleted, createQueue, JobFailedError, ResultTimeoutError, task } from "@taskq/core";
import { createConsumer } from "@taskq/consumer";
import { memoryStorage } from "@taskq/memory";
import { setTimeout as sleep } from "node:timers/promises";

const add = task("add", async ({ a, b }: { a: number; b: number }) => a + b);
const nap = task("nap", async (milliseconds: number, { progress, log }) => {
  await progress("asleep");
  log.info({ milliseconds }, "good night");
  await sleep(milliseconds);
  return milliseconds;
});
const fail = task("fail", async () => {
  throw new TypeError("this one always fails");
});

await using queue = createQueue({ storage: memoryStorage(), tasks: { add, nap, fail } });
await using consumer = createConsumer(queue, { workers: 4 });
await consumer.start();

// Waiting, as long as it takes, or only so long.
const result = await queue.enqueue(add.job({ a: 2, b: 3 }));
console.log("wait:", await result.wait({ timeout: "5s" }));
console.log("peek, as often as you like:", await result.peek(), await result.peek());

const slow = await queue.enqueue(nap.job(400));
try {
  await slow.wait({ timeout: "50ms" });
} catch (error) {
  if (error instanceof ResultTimeoutError) console.log(`not final after ${error.timeoutMs} ms; it goes on`);
}
console.log("meanwhile:", await slow.state(), "-", await slow.progress());

// Later, and before others.
const later = await queue.enqueue(add.job({ a: 1, b: 1 }), { delay: "10m", priority: 10 });
console.log("later:", await later.state());
console.log("moved to now:", await later.reschedule({ delay: 0 }), "-", await later.wait());

// An id of your own makes enqueue idempotent; `unique` makes one of several at a time.
const first = await queue.enqueue(add.job({ a: 1, b: 2 }), { id: "order-42" });
const again = await queue.enqueue(add.job({ a: 1, b: 2 }), { id: "order-42" });
console.log("the same id again:", first.existing, again.existing, again.id);
console.log("from the id alone:", await queue.result(add, "order-42").wait());

// Many at once, and in the order in which they are done.
const naps = await queue.enqueueMany([nap.job(300), nap.job(100), nap.job(200)]);
const order: number[] = [];
for await (const done of asCompleted(naps, { timeout: "10s" })) order.push(await done.wait());
console.log("as completed:", order.join(", "));

// Errors come back as data.
const failing = await queue.enqueue(fail.job());
const error = await failing.wait().catch((reason: unknown) => reason);
if (error instanceof JobFailedError) console.log("failed:", error.error.name, "-", error.error.message);

const [line] = await slow.logs();
console.log("its log:", line?.level, line?.message, JSON.stringify(line?.fields));
