/** A queue is a storage and the tasks it is used with. It opens at its first use. */
import { createQueue, periodic, every, task, TaskqError } from "@taskq/core";
import { drain } from "@taskq/consumer";
import { memoryStorage } from "@taskq/memory";

const add = task("add", async ({ a, b }: { a: number; b: number }) => a + b);
const shaky = task("shaky", async (_: void, { attempt }) => {
  if (attempt < 3) throw new Error("not yet");
  return attempt;
});
const heartbeat = periodic("heartbeat", every("10s"), async () => {});

// What is no task is ignored, so `import * as tasks` may be given.
const tasks = { add, shaky, heartbeat, limit: 5, helper: () => "no task" };
const storage = memoryStorage();

// One storage may serve several queues, told apart by their names.
await using mail = createQueue({ storage, tasks, name: "mail" });
await using billing = createQueue({
  storage,
  tasks: { add, shaky },
  name: "billing",
  defaults: { retries: 3, backoff: "1s", timeout: "1m" }, // for tasks that do not say
  keep: { completed: "10m", failed: { for: "30d", max: 10_000 } },
});
for (const { name, tasks: known } of [mail, billing]) console.log(`${name}: ${[...known.keys()].join(", ")}`);

await mail.enqueueMany([add.job({ a: 1, b: 1 }), add.job({ a: 2, b: 2 })]);
const result = await billing.enqueue(shaky.job());
console.log("waiting in mail:", (await mail.counts()).ready, "- in billing:", (await billing.counts()).ready);
await drain([mail, billing], { until: new Date(Date.now() + 10_000) });
console.log("shaky worked on run", await result.wait());

// Mistakes are told at once, with a code that does not change.
for (const wrong of [{ name: "no spaces" }, { keep: { completed: "10 minutes" } }, { retries: 3 }]) {
  try {
    createQueue({ storage, tasks, ...(wrong as object) });
  } catch (error) {
    if (error instanceof TaskqError) console.log(`${error.code}: ${error.message}`);
  }
}
