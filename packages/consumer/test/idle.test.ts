import { execFile } from "node:child_process";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { createQueue, task } from "@taskq/core";
import { sqliteStorage } from "@taskq/sqlite";
import { expect, test } from "vitest";
import { ChildWorker } from "./child-worker.js";
import { closing } from "./serving.js";
import { sleep, temporaryFolder } from "./support.js";

const slow = task("slow", async (_delay: number) => {});

/** What a process costs that only wakes ten times a second, for three seconds, in milliseconds of CPU time. */
async function idleProcess(): Promise<number> {
  const script = `
    const before = process.cpuUsage();
    const timer = setInterval(() => {}, 100);
    setTimeout(() => {
      clearInterval(timer);
      const { user, system } = process.cpuUsage(before);
      console.log((user + system) / 1000);
    }, 3000);`;
  const { stdout } = await promisify(execFile)(process.execPath, ["-e", script]);
  return Number(stdout);
}

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
  const nothing = idleProcess();
  const cpuBefore = await cpu();
  await sleep(3_000);
  const spent = (await cpu()) - cpuBefore;
  // On a machine of which others have the most, each time that a process wakes is charged with milliseconds.
  expect(spent).toBeLessThan(60 + 3 * (await nothing));
  expect(await written()).toEqual(before);
}, 20_000);
