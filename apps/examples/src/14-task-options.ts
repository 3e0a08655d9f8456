/** What a task may say about its jobs, and what middleware adds to those of all tasks. */
import { createQueue, JobFailedError, task, TaskqError, TimeoutError } from "@taskq/core";
import { drain } from "@taskq/consumer";
import { memoryStorage } from "@taskq/memory";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";

// What the schema makes of the input is what the handler gets; what was given is what is stored.
const Visit = z.object({ page: z.string(), at: z.coerce.date() });
const count = task("count", { input: Visit }, async ({ page, at }) => `${page} in ${at.getUTCFullYear()}`);

// Only what may pass is tried again, and as late as the other side asks for.
class Busy extends Error {
  readonly seconds = 30;
}
const call = task(
  "call",
  {
    retries: 3,
    retryWhen: ({ error }) => error instanceof Busy,
    backoff: ({ error }) => (error instanceof Busy ? error.seconds * 1_000 : "1s"),
  },
  async (what: string, { attempt }) => {
    if (what === "a closed shop") throw new Error("closed for ever");
    if (attempt === 1) throw new Busy("come again");
    return `${what} answered on run ${attempt}`;
  },
);

// The signal is what ends a run: hand it on to whatever can be aborted.
const patient = task("patient", { timeout: 50 }, async (_: void, { signal }) => {
  await sleep(60_000, undefined, { signal }).catch(() => {
    console.log("aborted by a TimeoutError:", signal.reason instanceof TimeoutError);
  });
  return "too late";
});

// Of many changes one is indexed, once there were none for a minute.
const index = task(
  "index",
  { unique: { key: ({ page }: { page: string }) => page, while: "waiting", onConflict: "replace" } },
  async ({ version }: { page: string; version: number }) => `indexed version ${version}`,
);

// What is late is not done at all.
const greet = task("greet", { expires: "1h" }, async (name: string) => `good morning, ${name}`);

const traced = task("traced", async (_: void, { headers, enqueuedAt, scheduledAt, remaining }) => {
  return [headers["trace"], scheduledAt.getTime() - enqueuedAt.getTime(), remaining() > 9_000];
});

const tasks = { count, call, patient, index, greet, traced };
await using queue = createQueue({
  storage: memoryStorage(),
  tasks,
  defaults: { timeout: "10s" },
  keep: { completed: "1d" },
});

// Around each enqueue and each run: the first one used is outermost.
queue.use({
  enqueue: (job, next) => next({ ...job, headers: { ...job.headers, trace: `trace of ${job.task}` } }),
  run: async ({ task: name, attempt }, next) => {
    const output = await next();
    if (attempt > 1) console.log(`${name} needed ${attempt} runs`);
    return output;
  },
});

const visit = await queue.enqueue(count.job({ page: "home", at: "2026-11-24" }));
console.log("stored as given:", (await visit.info())?.input);
const refused = await queue
  .enqueue(count.job({ page: "home", at: "never" }))
  .catch((error: unknown) => error);
console.log("refused:", refused instanceof TaskqError && refused.code);

const calls = await queue.enqueueMany([call.job("a busy shop"), call.job("a closed shop")]);
const tooSlow = await queue.enqueue(patient.job());
const versions = [1, 2, 3];
const indexed = [];
for (const version of versions) {
  indexed.push(await queue.enqueue(index.job({ page: "home", version }), { delay: "1m" }));
}
// More than an hour from now: by then nobody is greeted.
const late = await queue.enqueue(greet.job("Ada"), { delay: "2h" });
const trace = await queue.enqueue(traced.job(), { delay: "5m" });

// Runs what is due, and what becomes due within three hours, in virtual time.
await drain(queue, { until: new Date(Date.now() + 3 * 3_600_000) });

console.log("parsed:", await visit.wait());
for (const result of [...calls, tooSlow]) {
  const told = await result.wait().catch((error: unknown) => error);
  console.log(told instanceof JobFailedError ? `failed: ${told.error.message}` : told);
}
console.log("states:", ...(await Promise.all(indexed.map((result) => result.state()))));
console.log("the last one:", await indexed.at(-1)?.wait());
console.log("late:", await late.state());
console.log("of its context:", ...(await trace.wait()));
