/** Revoking, pausing, locks, semaphores, values. */
import { createQueue, JobCancelledError, task, TaskqError } from "@taskq/core";
import { createConsumer } from "@taskq/consumer";
import { memoryStorage } from "@taskq/memory";
import { setTimeout as sleep } from "node:timers/promises";

const send = task("send", async (to: string) => `sent to ${to}`);
const endless = task("endless", async (_: void, { signal }) => {
  await sleep(60_000, undefined, { signal });
});
let inside = 0;
let most = 0;
const sync = task("sync", { lock: "daily-sync" }, async (account: number) => {
  most = Math.max(most, (inside += 1));
  await sleep(30);
  inside -= 1;
  return account;
});

await using queue = createQueue({ storage: memoryStorage(), tasks: { send, endless, sync } });
await using consumer = createConsumer(queue, { workers: 10 });
await consumer.start();

// One job: cancelled while it waits, given back, aborted while it runs.
const waiting = await queue.enqueue(send.job("ada"), { delay: "1h" });
console.log("revoked:", await waiting.revoke(), "-", await waiting.state());
console.log("restored:", await waiting.restore(), "-", await waiting.state());
const running = await queue.enqueue(endless.job());
while ((await running.state()) !== "active") await sleep(5);
await running.revoke();
const error = await running.wait().catch((reason: unknown) => reason);
console.log("aborted:", error instanceof JobCancelledError && error.reason);

// All jobs of a task: skipped, once or until restored; or made to wait.
await queue.revoke(send, { once: true });
const skipped = await (await queue.enqueue(send.job("bob"))).wait().catch((reason: unknown) => reason);
console.log("the next one of a revoked task:", skipped instanceof Error && skipped.name);
console.log("the one after:", await (await queue.enqueue(send.job("bob"))).wait());
await queue.pause(send);
const paused = await queue.enqueue(send.job("eve"));
await sleep(50);
console.log("paused:", await paused.state());
await queue.resume(send);
console.log("resumed:", await paused.wait());

// A lock as an option of the task: jobs wait for it, workers do not.
const results = await queue.enqueueMany([1, 2, 3].map((account) => sync.job(account)));
await Promise.all(results.map((result) => result.wait()));
console.log("under the lock at a time, at most:", most);

// A lock anywhere, in any process of the queue; its fence proves to others that it is still yours.
const held = await queue.lock("import", { ttl: "10s" }).acquire();
const refused = await queue
  .lock("import", { onBusy: "fail" })
  .acquire()
  .catch((reason: unknown) => reason);
console.log("taken already:", refused instanceof TaskqError && refused.code);
await held[Symbol.asyncDispose]();
const grown = await queue.lock("import").run(({ fence }) => fence > held.fence);
console.log("its fence has grown:", grown);
const downloads = [1, 2, 3].map(() => queue.semaphore("downloads", { max: 2 }).run(() => sleep(10)));
console.log("a semaphore let through:", (await Promise.all(downloads)).length);

// Values, beside the jobs.
await queue.values.set("progress:42", { percent: 10 }, { ttl: "1h" });
console.log("value:", await queue.values.get<{ percent: number }>("progress:42"));
console.log("set if absent:", await queue.values.setIfAbsent("progress:42", "other"));
console.log("counted:", await queue.values.increment("hits"), await queue.values.increment("hits", 5));
console.log("taken:", await queue.values.take("hits"), "- and gone:", await queue.values.get("hits"));
