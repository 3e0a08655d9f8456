/** Calls that are awaited one after the other, each answered at once: timers and sockets have their turn between them. */
import { join } from "node:path";
import { createQueue, moveQueue, task, type Queue } from "@taskq/core";
import { sqliteStorage } from "@taskq/sqlite";
import { expect, test } from "vitest";
import { afterTest, temporaryFolder } from "./support.ts";

const MANY = 3_000;
const one = task("one", async (input: number) => input);
type One = Queue<"one">;

function queueIn(folder: string, name = "jobs.db"): One {
  const queue = createQueue({ storage: sqliteStorage({ path: join(folder, name) }), tasks: { one } });
  afterTest(() => queue.close());
  return queue;
}

/** Turns of the event loop while something is done. */
async function turnsWhile(work: () => Promise<unknown>): Promise<number> {
  let turns = 0;
  let isOver = false;
  const turn = (): void => {
    turns += 1;
    if (!isOver) setImmediate(turn);
  };
  setImmediate(turn);
  await work();
  isOver = true;
  return turns;
}

const CALLS: readonly (readonly [string, (queue: One, ids: readonly string[]) => Promise<unknown>])[] = [
  [
    "looks at jobs",
    async (queue, ids) => {
      for (const id of ids) await queue.job(id);
    },
  ],
  [
    "revocations",
    async (queue, ids) => {
      for (const id of ids) await queue.result(id).revoke();
    },
  ],
  [
    "locks",
    async (queue) => {
      for (let turn = 0; turn < 500; turn += 1) await queue.lock("lock").run(() => turn);
    },
  ],
  [
    "pages of jobs",
    async (queue) => {
      for await (const { id } of queue.jobs()) expect(id).toBeDefined();
    },
  ],
  ["flushes of all", (queue) => queue.flush({ confirm: queue.name })],
  ["flushes of some", (queue) => queue.flush({ confirm: queue.name, state: "ready" })],
  ["moves", async (queue) => moveQueue(queue, queueIn(temporaryFolder()))],
];

test.each(CALLS)("%s", async (_, work) => {
  const queue = queueIn(temporaryFolder());
  const results = await queue.enqueueMany(Array.from({ length: MANY }, (_job, number) => one.job(number)));
  const ids = results.map(({ id }) => id);
  expect(await turnsWhile(() => work(queue, ids))).toBeGreaterThan(1);
});
