/**
 * What happens, as it happens; the feed of all processes, which goes on behind a cursor; middleware around every run
 * and every enqueue; what there is to read.
 */
import { createQueue, task, type Middleware } from "@taskq/core";
import { createConsumer } from "@taskq/consumer";
import { memoryStorage } from "@taskq/memory";

const flaky = task(
  "flaky",
  { retries: 1, backoff: "50ms" },
  async (_: void, { attempt, headers, progress }) => {
    await progress({ percent: 50 });
    if (attempt === 1) throw new Error("try again");
    return headers["trace"];
  },
);
const broken = task("broken", async () => {
  throw new Error("out of order");
});

await using queue = createQueue({ storage: memoryStorage(), tasks: { flaky, broken } });

// Each event is sent after the fact is stored, in the process in which it happened.
const seen: string[] = [];
queue.on("*", (event) => void seen.push(event.type));
queue.on("failed", ({ task: name, error }) => console.log(`failed: ${name}: ${error.message}`));
queue.on("retrying", ({ attempt, error }) => console.log(`retrying after run ${attempt}: ${error.message}`));

// The feed tells the end of every job, whichever process it ran in, and is kept from the first reading on. A reader
// saves the cursor of what it has dealt with. This one is called away after its first event.
async function readOne(from: string) {
  for await (const event of queue.events({ from })) return event;
  throw new Error("the queue was closed");
}
const reading = readOne("start");

// Middleware: `next` goes on, with a changed job if you like.
const tracing: Middleware = {
  enqueue: (job, next) => next({ ...job, headers: { ...job.headers, trace: "trace-1" } }),
  async run(context, next) {
    const output = await next();
    console.log(`middleware: ${context.task} has run, in ${context.headers["trace"]}`);
    return output;
  },
};
const tracer = queue.use(tracing);

await using consumer = createConsumer(queue, { workers: 2 });
await consumer.start();
const result = await queue.enqueue(flaky.job());
console.log("handed on:", await result.wait({ timeout: "5s" }));
console.log("events:", seen.join(", "));

const failing = await queue.enqueue(broken.job());
await failing.wait({ timeout: "5s" }).catch(() => {});

const { type, task: name, cursor } = await reading;
console.log(`feed: ${name} ${type}`);
// Another reader goes on behind it, although the job ended before it looks.
const next = await readOne(cursor);
console.log(`feed: ${next.task} ${next.type}`);

// Both answer a Disposable: `using`, or by hand.
tracer[Symbol.dispose]();

// Reading.
const { completed, failed } = await queue.counts();
console.log(`counts: ${completed} completed, ${failed} failed`);
console.log("by task:", (await queue.counts({ by: "task" }))["broken"]?.failed, "of broken failed");
const { total, tasks } = await queue.stats({ window: "15m" });
console.log(`statistics: ${total.completed} completed, ${total.failed} failed`);
console.log(`of flaky: ${tasks["flaky"]?.retried} retried; p99 in milliseconds: ${typeof total.runMs.p99}`);
for await (const job of queue.jobs({ state: "failed" }))
  console.log(`job: ${job.task}, run ${job.attempt}, ${job.state}`);
const info = await result.info();
console.log(
  "its story:",
  info?.attempts.map(({ attempt, error }) => `run ${attempt} ${error?.message ?? "worked"}`).join(", "),
);
const why = await queue.why(failing.id);
console.log("why:", why.state, "-", why.causes.map(({ code }) => code).join(", "));
console.log("run again by hand:", await queue.retry(failing.id));
