/** A consumer runs the jobs; in unit tests, an immediate queue or `drain` runs them without one. */
import { createQueue, every, periodic, task } from "@taskq/core";
import { createConsumer, drain } from "@taskq/consumer";
import { advance } from "@taskq/core/testing";
import { memoryStorage } from "@taskq/memory";
import { setTimeout as sleep } from "node:timers/promises";

declare module "@taskq/core" {
  interface Resources {
    /** Made for each run, disposed of after it. */
    readonly database: { query(text: string): string; [Symbol.dispose](): void };
  }
}

const add = task("add", async ({ a, b }: { a: number; b: number }) => a + b);
const query = task("query", async (text: string, { resources }) => resources.database.query(text));
const slow = task("slow", async () => {
  await sleep(200);
  return "finished what it had begun";
});
const heartbeat = periodic("heartbeat", every("10s"), async () => console.log("heartbeat"));

// Inside a program: start and stop. As a program of its own: `await createConsumer(queue).run()`, until a signal.
const queue = createQueue({ storage: memoryStorage(), tasks: { add, query, slow } });
const consumer = createConsumer(queue, {
  workers: 4,
  lease: "30s",
  grace: "10s",
  setup: () => console.log("setup: before the first job"),
  teardown: () => console.log("teardown: after the last one"),
  resources: {
    database: () => ({
      query: (text) => `rows of ${text}`,
      [Symbol.dispose]: () => console.log("resource disposed of"),
    }),
  },
});
await consumer.start();
console.log("answered:", await (await queue.enqueue(query.job("select 1"))).wait({ timeout: "5s" }));
const result = await queue.enqueue(slow.job());
while (consumer.health().busy === 0) await sleep(5);
const { state, workers, busy } = consumer.health();
console.log(`health: ${state}, ${busy} of ${workers} busy`);
await consumer.stop();
console.log("after the stop:", await result.wait());
await queue.close();

// Unit tests: the bare handler; an immediate queue; the stored path in virtual time.
console.log("run:", await add.run({ a: 2, b: 3 }));
const immediate = createQueue({ storage: memoryStorage(), tasks: { add, heartbeat }, immediate: true });
console.log("immediate:", await (await immediate.enqueue(add.job({ a: 2, b: 3 }))).peek());
await advance(immediate, "20s");
const stored = createQueue({ storage: memoryStorage(), tasks: { add } });
await stored.enqueueMany([add.job({ a: 1, b: 1 }), add.job({ a: 2, b: 2 })]);
await stored.enqueue(add.job({ a: 3, b: 3 }), { delay: "1h" });
console.log("drained what is due:", (await drain(stored)).completed);
console.log(
  "and within two hours:",
  (await drain(stored, { until: new Date(Date.now() + 7_200_000) })).completed,
);
await Promise.all([immediate.close(), stored.close()]);
