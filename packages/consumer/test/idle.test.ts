import { stat } from "node:fs/promises";
import { join } from "node:path";
import { createQueue, task } from "@taskq/core";
import { sqliteStorage } from "@taskq/sqlite";
import { expect, test } from "vitest";
import { ChildWorker } from "./child-worker.js";
import { closing } from "./serving.js";
import { sleep, temporaryFolder } from "./support.js";

const slow = task("slow", async (_delay: number) => {});

test("an idle consumer writes nothing to its file, and stays under 2 % of a core", async () => {
  const path = join(await temporaryFolder(), "jobs.db");
  const queue = closing(createQueue({ storage: sqliteStorage({ path }), tasks: { slow } }));
  const result = await queue.enqueue(slow.job(1));
  await queue.enqueue(slow.job(1), { delay: "1h" });
  const child = new ChildWorker(path, { lease: 1_000 });
  await result.wait({ timeout: "8s" });
  await sleep(1_000);
  const written = async () => {
    const files = await Promise.all([stat(path), stat(`${path}-wal`)]);
    return files.map(({ size, mtimeMs }) => ({ size, mtimeMs }));
  };
  const cpu = async () => {
    child.messages.length = 0;
    child.process.send("cpu");
    const { usage } = await child.heard("cpu");
    return ((usage?.user ?? 0) + (usage?.system ?? 0)) / 1_000;
  };
  const before = await written();
  const cpuBefore = await cpu();
  await sleep(3_000);
  expect((await cpu()) - cpuBefore).toBeLessThan(60);
  expect(await written()).toEqual(before);
}, 20_000);
