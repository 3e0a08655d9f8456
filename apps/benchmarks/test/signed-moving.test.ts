import {
  createQueue,
  every,
  group,
  jsonSerializer,
  moveQueue,
  task,
  type Queue,
  type Serializer,
  type Storage,
} from "@taskq/core";
import { engineOf, InlineRunner } from "@taskq/core/engine";
import { memoryStorage } from "@taskq/memory";
import { redisStorage } from "@taskq/redis";
import { serverBinary, startRedisServer, type RedisServer } from "@taskq/redis-servers";
import { sqliteStorage } from "@taskq/sqlite";
import Database from "better-sqlite3";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { signedSerializer } from "@taskq/signed-serializer";
import { afterTest, temporaryFile } from "./closing.ts";

const secret = "a secret of the tests, with more than 32 bytes";
const add = task("add", async ({ a, b }: { a: number; b: number }) => a + b);
const double = task("double", async (n: number) => 2 * n);
const sum = task("sum", async (numbers: readonly number[]) => numbers.reduce((total, one) => total + one, 0));
const flaky = task("flaky", async (_: number, context) => {
  context.log.info({ n: 1 }, "tried");
  await context.progress({ half: true });
  throw new Error("not yet");
});
const tasks = { add, double, sum, flaky };

function queueOn(storage: Storage, serializer: Serializer | undefined) {
  const options = serializer === undefined ? {} : { serializer };
  const queue = createQueue({ storage, tasks, ...options });
  afterTest(() => queue.close());
  return queue;
}

async function run(queue: Queue): Promise<void> {
  await new InlineRunner(engineOf(queue)).runDue();
}

const signed = signedSerializer({ secret });
const encrypted = signedSerializer({ secret, encrypt: true });
const rotated = signedSerializer({
  keys: [
    { id: "new", secret: "another secret of the tests, of over 32 bytes" },
    { id: "default", secret },
  ],
});
const ways: readonly { readonly name: string; readonly from?: Serializer; readonly to?: Serializer }[] = [
  { name: "signed, to another table prefix", from: signed, to: signed },
  { name: "encrypted, to another table prefix", from: encrypted, to: encrypted },
  { name: "signed to encrypted", from: signed, to: encrypted },
  { name: "old keys to new ones", from: signed, to: rotated },
  { name: "unsigned to signed", to: signed },
  { name: "encrypted to unsigned", from: encrypted },
];

let redis: RedisServer | undefined;
beforeAll(async () => {
  if (serverBinary() !== undefined) redis = await startRedisServer();
}, 30_000);
afterAll(() => redis?.stop());

const targets: [string, () => Storage][] = [
  ["SQLite", () => sqliteStorage({ path: temporaryFile("to.db"), tablePrefix: "other_" })],
  ["memory", memoryStorage],
];
if (serverBinary() !== undefined) {
  let moves = 0;
  targets.push(["Redis", () => redisStorage({ url: redis!.url, keyPrefix: `to-${(moves += 1)}` })]);
}

describe.each(ways)("moving $name", ({ from: fromSerializer, to: toSerializer }) => {
  test.each(targets)("to %s keeps everything readable", async (_, makeTarget) => {
    const from = queueOn(sqliteStorage({ path: temporaryFile("from.db") }), fromSerializer);
    const to = queueOn(makeTarget(), toSerializer);
    const feed = from.events({ from: "now" })[Symbol.asyncIterator]();
    const firstEvent = feed.next();
    const done = await from.enqueue(add.job({ a: 2, b: 3 }));
    const failing = await from.enqueue(flaky.job(1));
    await from.pause(double);
    const chain = await from.enqueue(add.job({ a: 1, b: 2 }).pipe(double));
    const chord = await from.enqueue(group([add.job({ a: 1, b: 1 }), double.job(4)]).pipe(sum));
    await run(from);
    const { value: event } = await firstEvent;
    await feed.return?.();
    const delayed = await from.enqueue(add.job({ a: 5, b: 5 }), { delay: 1 });
    await from.values.set("name", { first: "Ada" });
    await from.values.increment("visits", 4);
    await from.values.set("rank", 3);
    await from.schedules.upsert("weekly", { schedule: every("7d"), job: add.job({ a: 7, b: 7 }) });

    const { counts } = await moveQueue(from, to);
    expect(counts).toBeDefined();

    expect(await to.result(done.id).wait()).toBe(5);
    const info = await to.job(failing.id);
    expect(info).toMatchObject({ state: "failed", input: 1, progress: { half: true } });
    expect(info?.attempts).toMatchObject([{ error: { message: "not yet" } }]);
    await expect(to.result(failing.id).wait()).rejects.toThrow("not yet");
    expect(await to.result(failing.id).logs()).toMatchObject([{ message: "tried", fields: { n: 1 } }]);
    expect(await to.values.get("name")).toEqual({ first: "Ada" });
    expect(await to.values.compareAndDelete("name", { first: "Ada" })).toBe(true);
    expect(await to.values.increment("visits")).toBe(5);
    expect(await to.values.compareAndDelete("visits", 4)).toBe(false);
    expect(await to.values.compareAndDelete("visits", 5)).toBe(true);
    expect(await to.values.increment("rank")).toBe(4);
    expect((await to.schedules.trigger("weekly")).id).toBeDefined();
    await to.resume(double);
    await new Promise((resolve) => setTimeout(resolve, 5));
    await run(to);
    expect(await to.result(chain.id).wait()).toBe(6);
    expect(await to.result(chord.id).wait()).toBe(10);
    expect(await to.result(delayed.id).wait()).toBe(10);
    expect(await to.counts()).toMatchObject({ quarantined: 0 });
    const events = [];
    for await (const one of to.events({ from: (event as { cursor: string }).cursor })) {
      events.push(one);
      if (one.type === "failed") break;
    }
    expect(events.at(-1)).toMatchObject({ type: "failed", error: { message: "not yet" } });
  });
});

test("what is forged at the source is not readable at the target, and a move makes nothing younger", async () => {
  vi.useFakeTimers({ toFake: ["Date"] });
  afterTest(() => void vi.useRealTimers());
  const path = temporaryFile("from.db");
  const from = queueOn(sqliteStorage({ path }), signed);
  const to = queueOn(
    sqliteStorage({ path: temporaryFile("to.db"), tablePrefix: "other_" }),
    signedSerializer({ secret, maxAge: "1h" }),
  );
  await from.enqueue(add.job({ a: 1, b: 1 }), { id: "forged" });
  await from.enqueue(add.job({ a: 2, b: 2 }), { id: "old" });
  const database = new Database(path);
  const forged = jsonSerializer().encode({ v: 1, task: "add", input: { a: 9, b: 9 } }, {} as never);
  database
    .prepare("UPDATE taskq_jobs SET body = ? WHERE key = (SELECT key FROM taskq_names WHERE name = 'forged')")
    .run(forged);
  database.close();
  vi.setSystemTime(Date.now() + 3_600_001);
  await from.enqueue(add.job({ a: 3, b: 3 }), { id: "young" });
  await moveQueue(from, to);
  await run(to);
  expect((await to.job("forged"))?.state).toBe("quarantined");
  await expect(to.result("forged").wait()).rejects.toThrow("it is not signed");
  expect((await to.job("old"))?.state).toBe("quarantined");
  await expect(to.result("old").wait()).rejects.toThrow("it was signed 3600001 ms ago");
  expect(await to.result("young").wait()).toBe(6);
});
