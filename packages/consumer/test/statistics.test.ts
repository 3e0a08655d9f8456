import { join } from "node:path";
import { createQueue, task } from "@taskq/core";
import { sqliteStorage } from "@taskq/sqlite";
import { expect, test } from "vitest";
import { closing, serve } from "./serving.js";
import { temporaryFolder, until } from "./support.js";

const work = task("work", async () => {});

test("another process reads all statistics of a consumer once that has stopped, and those of a second ago before", async () => {
  const path = join(await temporaryFolder(), "jobs.db");
  const queue = closing(createQueue({ storage: sqliteStorage({ path }), tasks: { work } }));
  const other = closing(createQueue({ storage: sqliteStorage({ path }), tasks: { work } }));
  const completed = async () => (await other.stats()).total.completed;
  const consumer = await serve(queue, { workers: 2 });
  for (let turn = 0; turn < 20; turn += 1) await (await queue.enqueue(work.job())).wait({ timeout: "5s" });
  // Nothing is left to do: what was gathered comes with a look for work.
  await until(async () => (await completed()) === 20);
  for (let turn = 0; turn < 5; turn += 1) await (await queue.enqueue(work.job())).wait({ timeout: "5s" });
  await consumer.stop();
  expect(await completed()).toBe(25);
  expect((await queue.stats()).total).toEqual((await other.stats()).total);
});
