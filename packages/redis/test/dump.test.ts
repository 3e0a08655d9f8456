/** `taskq dump`, `load` and `move` with Redis, as processes. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createQueue, every, group, task, type Storage } from "@taskq/core";
import { engineOf, InlineRunner } from "@taskq/core/engine";
import { sqliteStorage } from "@taskq/sqlite";
import { describe, expect, test } from "vitest";
import { redisStorage } from "../src/index.js";
import { folderWith } from "./moving/folder.js";
import { taskq } from "./moving/processes.js";
import { serverBinary } from "./servers/binary.js";
import { startRedisServer } from "./servers/redis-server.js";
import { afterTest } from "./support/closing.js";

const PATIENCE = 60_000;
const PASSWORD = "open-sesame";

const add = task("add", async (n: number) => n + 1);
const fail = task("fail", { retries: 0 }, async (n: number) => {
  throw new Error(String(n));
});
const held = task("held", { unique: { key: "one" } }, async () => 1);
const sum = task("sum", async (numbers: readonly number[]) => numbers.reduce((total, n) => total + n, 0));

function queueOn(storage: Storage) {
  const queue = createQueue({ name: "shop", storage, tasks: { add, fail, held, sum } });
  afterTest(() => queue.close());
  return queue;
}

type Shop = ReturnType<typeof queueOn>;

/** Some of all that a queue keeps. */
async function fill(queue: Shop): Promise<void> {
  await queue.pause(held);
  await queue.enqueue(group([add.job(1), held.job()]).pipe(sum), { id: "chord" });
  await queue.enqueue(fail.job(1), { id: "failed" });
  await queue.enqueue(add.job(1), { id: "later", delay: "1h" });
  await queue.values.set("short", 1, { ttl: 1 });
  await queue.values.set("bytes", new Uint8Array([0, 255, 10]));
  await queue.schedules.upsert("hourly", { schedule: every("1h"), job: add.job(2) });
  await new InlineRunner(engineOf(queue)).runDue();
}

async function expectFilled(queue: Shop): Promise<void> {
  expect(await queue.counts()).toMatchObject({ completed: 1, failed: 1, blocked: 1, scheduled: 1 });
  expect(await queue.values.get("bytes")).toEqual(new Uint8Array([0, 255, 10]));
  expect(await queue.values.get("short")).toBeUndefined();
  const schedules: string[] = [];
  for await (const { name } of queue.schedules.list()) schedules.push(name);
  expect(schedules).toEqual(["hourly"]);
  await queue.resume(held);
  await new InlineRunner(engineOf(queue)).runDue();
  expect(await queue.result(sum, "chord").peek()).toEqual({ state: "completed", value: 3 });
  expect((await queue.job("failed"))?.attempts.map(({ error }) => error?.message)).toEqual(["1"]);
}

const REDIS = `
import { createQueue } from "@taskq/core";
import { redisStorage } from "@taskq/redis";
const storage = redisStorage({ url: process.env.REDIS_URL, keyPrefix: process.env.REDIS_PREFIX ?? "taskq" });
export const queue = createQueue({ name: "shop", storage, tasks: {} });`;
const SQLITE = `
import { createQueue } from "@taskq/core";
import { sqliteStorage } from "@taskq/sqlite";
export const queue = createQueue({ name: "shop", storage: sqliteStorage({ path: "jobs.db" }), tasks: {} });`;

describe.skipIf(serverBinary() === undefined)("the command with Redis", () => {
  test(
    "a queue is dumped, loaded under another prefix, and moved to a file by an address, and no password is printed",
    async () => {
      const server = await startRedisServer({
        arguments: ["--appendonly", "yes", "--requirepass", PASSWORD],
        password: PASSWORD,
      });
      afterTest(() => server.stop());
      const url = server.url.replace("//", `//:${PASSWORD}@`);
      const folder = folderWith({ "redis.mjs": REDIS, "sqlite.mjs": SQLITE });
      const original = queueOn(redisStorage({ url, keyPrefix: "original" }));
      await fill(original);

      const at = (prefix: string) => ({ REDIS_URL: url, REDIS_PREFIX: prefix });
      const dumped = await taskq(
        folder,
        ["dump", "redis.mjs", "--keep-closed", "-o", "shop.ndjson"],
        at("original"),
      );
      expect([dumped.code, dumped.output]).toEqual([0, ""]);
      const loaded = await taskq(folder, ["load", "redis.mjs", "shop.ndjson"], at("taskq"));
      expect([loaded.code, loaded.errors]).toEqual([0, ""]);
      const moved = await taskq(folder, ["move", url, "sqlite.mjs"]);
      expect([moved.code, moved.errors]).toEqual([0, ""]);
      expect(moved.output).toContain(`from  redis 127.0.0.1:${server.port}\n`);
      const wrong = await taskq(folder, ["move", "sqlite.mjs", url.replace(PASSWORD, `${PASSWORD}-2`)]);
      expect([wrong.code, wrong.output.split("\n").length]).toEqual([1, 4]);
      expect(wrong.errors).toMatch(/^taskq: .*WRONGPASS.*\(TASKQ_STORAGE\)\n/);
      for (const { output, errors } of [dumped, loaded, moved, wrong]) {
        expect(output + errors).not.toContain(PASSWORD);
      }
      expect(readFileSync(join(folder, "shop.ndjson"), "utf8")).not.toContain(PASSWORD);
      await expectFilled(queueOn(sqliteStorage({ path: join(folder, "jobs.db") })));
    },
    PATIENCE,
  );
});
