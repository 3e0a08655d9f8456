/** What users' tests put in the place of timers: sinon and Jest also that of `process.nextTick` and `queueMicrotask`. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { temporaryFolder } from "./support.js";

const run = promisify(execFile);
const here = fileURLToPath(new URL("..", import.meta.url));

/** In a process of its own: a test runner needs them too. */
const program = (makeStorage: string): string => `
import { createQueue, task } from "@taskq/core";
import { advance } from "@taskq/core/testing";
import { createConsumer, drain } from "@taskq/consumer";
${makeStorage}
const add = task("add", { timeout: "1m" }, async ({ a, b }) => a + b);
const flaky = task("flaky", { retries: 1, backoff: "1m" }, async (_, { attempt }) => {
  if (attempt === 1) throw new Error("not yet");
  return attempt;
});
const tasks = { add, flaky };
// None of them ever comes.
for (const name of ["setTimeout", "setInterval", "setImmediate", "queueMicrotask"]) {
  globalThis[name] = () => ({ unref() { return this; }, ref() { return this; } });
}
const { nextTick } = process;
process.nextTick = () => {};
const told = [];

const immediate = createQueue({ name: "immediate", storage: makeStorage(), tasks, immediate: true });
told.push(await (await immediate.enqueue(add.job({ a: 1, b: 2 }))).wait());
const retried = await immediate.enqueue(flaky.job());
await advance(immediate, "2m");
told.push(await retried.wait());
await immediate.close();

const drained = createQueue({ name: "drained", storage: makeStorage(), tasks });
const results = await drained.enqueueMany([add.job({ a: 1, b: 3 }), flaky.job()]);
await drain(drained, { until: new Date(Date.now() + 120_000) });
for (const result of results) told.push(await result.wait());
await drained.close();

const queue = createQueue({ storage: makeStorage(), tasks });
const consumer = createConsumer(queue, { workers: 2 });
await consumer.start();
for (let a = 0; a < 3; a += 1) told.push(await (await queue.enqueue(add.job({ a, b: 5 }))).wait());
await consumer.stop();
await queue.close();

process.nextTick = nextTick;
console.log(JSON.stringify(told));
`;

const MEMORY = `import { memoryStorage as makeStorage } from "@taskq/memory";`;
const sqlite = (path: string): string =>
  `import { sqliteStorage } from "@taskq/sqlite";
   const makeStorage = () => sqliteStorage({ path: ${JSON.stringify(path)} });`;

test.each(["memory", "SQLite"])(
  "where timers stand still, immediate mode, drain and a consumer work on %s",
  async (name) => {
    const storage = name === "memory" ? MEMORY : sqlite(join(await temporaryFolder(), "jobs.db"));
    const script = ["--input-type=module", "-e", program(storage)];
    const { stdout } = await run(process.execPath, script, { cwd: here, timeout: 20_000 });
    expect(stdout).toBe("[3,2,4,2,5,6,7]\n");
  },
  30_000,
);
