/** What follows from the end of a member of a large group is done by scripts of bounded size, whatever hangs together in it. */
import { createQueue, group, task, type FailureReport, type Job, type Storage } from "@taskq/core";
import { engineOf, InlineRunner } from "@taskq/core/engine";
import { Redis } from "ioredis";
import { describe, expect, onTestFinished, test } from "vitest";
import { redisStorage } from "../src/index.js";
import { settingsOf } from "../src/options.js";
import { RedisStorage } from "../src/redis-storage.js";
import { hasTestServer, startTestServer } from "./servers/test-server.js";

const MEMBERS = 400;
/** Rows that one script ends because of others. */
const AT_ONCE = 20;

const first = task("first", async (number: number) => {
  if (number === 0) throw new Error("member broke");
  return number;
});
const second = task("second", async (number: number) => number);
const keyed = task(
  "keyed",
  { unique: { key: (number) => `key ${number}` } },
  async (number: number) => number,
);
const sum = task("sum", async (numbers: readonly number[]) => numbers.length);
const mend = task("mend", async (_failure: FailureReport) => {});

type Member = Job<number, "first" | "second" | "mend">;
const plain = (number: number): Member => first.job(number);
const piped = (number: number): Member => first.job(number).pipe(second);
const handled = (number: number): Member => piped(number).onError(mend);
const nested = (number: number): Job<number, "first" | "second" | "sum"> =>
  group([first.job(number), first.job(number).pipe(second)]).pipe(sum);

/** How many fields of the key with this name each script reads at the most, and all of them together, from now on. */
async function watchReads(url: string, prefix: string, name: string): Promise<{ most: number; all: number }> {
  const redis = new Redis(url);
  onTestFinished(() => redis.disconnect());
  const monitor = await redis.monitor();
  onTestFinished(() => monitor.disconnect());
  const reads = { most: 0, all: 0 };
  let own = 0;
  monitor.on("monitor", (_time: string, [command = "", key = "", ...fields]: string[], source: string) => {
    if (source !== "lua") own = 0;
    else if (/^HM?GET$/i.test(command) && key.startsWith(prefix) && key.endsWith(`:${name}`)) {
      own += fields.length;
      reads.all += fields.length;
    }
    reads.most = Math.max(reads.most, own);
  });
  return reads;
}

describe.skipIf(!hasTestServer)("a large group", () => {
  test.each([
    { kind: "alone", make: plain, rows: MEMBERS },
    { kind: "with a stage before each", make: piped, rows: MEMBERS * 2 },
    { kind: "with error handlers too", make: handled, rows: MEMBERS * 3 },
    { kind: "of groups", make: nested, rows: MEMBERS * 3 },
  ])("fails in parts: members $kind", async ({ make, rows }) => {
    const server = await startTestServer();
    onTestFinished(() => server.stop());
    const { url, keyPrefix } = server;
    const storage = new RedisStorage(settingsOf({ url, keyPrefix }), AT_ONCE) as unknown as Storage;
    const queue = createQueue({ storage, tasks: { first, second, sum, mend } });
    onTestFinished(() => queue.close());
    await queue.enqueue(group(Array.from({ length: MEMBERS }, (_, number) => make(number))).pipe(sum));
    const reads = await watchReads(url, keyPrefix, "rows");
    await new InlineRunner(engineOf(queue)).runDue();
    const counts = await queue.counts();
    expect([counts.blocked, counts.ready, counts.active]).toEqual([0, 0, 0]);
    expect(counts.skipped).toBeGreaterThan(rows / 2);
    expect(reads.most).toBeGreaterThan(0);
    expect(reads.most).toBeLessThan(MEMBERS);
  });
  test("that is revoked writes down what is left of it once, and not with each part", async () => {
    const server = await startTestServer();
    onTestFinished(() => server.stop());
    const { url, keyPrefix } = server;
    const storage = new RedisStorage(settingsOf({ url, keyPrefix }), AT_ONCE) as unknown as Storage;
    const queue = createQueue({ storage, tasks: { first, sum } });
    onTestFinished(() => queue.close());
    const flow = await queue.enqueue(
      group(Array.from({ length: MEMBERS }, (_, n) => first.job(n))).pipe(sum),
    );
    const redis = new Redis(url);
    onTestFinished(() => redis.disconnect());
    const monitor = await redis.monitor();
    onTestFinished(() => monitor.disconnect());
    let written = 0;
    monitor.on("monitor", (_time: string, [, key = "", ...values]: string[], source: string) => {
      if (source === "lua" && key.startsWith(keyPrefix) && key.endsWith(":later")) {
        written += values.join("").length;
      }
    });
    await flow.revoke();
    expect(await queue.counts()).toMatchObject({ cancelled: MEMBERS + 1, ready: 0 });
    expect(await redis.keys(`${keyPrefix}*:later`)).toEqual([]);
    const ids = MEMBERS * 23;
    expect(written).toBeGreaterThan(ids);
    expect(written).toBeLessThan(ids * 6);
  });
  test("whose members added jobs fails in parts", async () => {
    const server = await startTestServer();
    onTestFinished(() => server.stop());
    const { url, keyPrefix } = server;
    const storage = new RedisStorage(settingsOf({ url, keyPrefix }), AT_ONCE) as unknown as Storage;
    const adding = task("adding", async (number: number, { enqueue }) => {
      if (number === MEMBERS) throw new Error("member broke");
      await enqueue(number % 2 === 0 ? second.job(number) : second.job(number).pipe(second), { join: true });
      return number;
    });
    const queue = createQueue({ storage, tasks: { adding, second, sum } });
    onTestFinished(() => queue.close());
    const members = Array.from({ length: MEMBERS }, (_, number) => adding.job(number + 1));
    const all = await queue.enqueue(group(members).pipe(sum));
    const reads = await watchReads(url, keyPrefix, "rows");
    await new InlineRunner(engineOf(queue)).runDue();
    expect(await all.state()).toBe("skipped");
    const skipped = Math.floor((MEMBERS - 1) * 1.5) + 2;
    expect(await queue.counts()).toMatchObject({
      completed: MEMBERS - 1,
      failed: 1,
      skipped,
      ready: 0,
      blocked: 0,
    });
    expect(reads.most).toBeGreaterThan(0);
    expect(reads.most).toBeLessThan(MEMBERS);
  });
  test("that is revoked gives back the unique keys of its members in parts", async () => {
    const server = await startTestServer();
    onTestFinished(() => server.stop());
    const { url, keyPrefix } = server;
    const storage = new RedisStorage(settingsOf({ url, keyPrefix }), AT_ONCE) as unknown as Storage;
    const queue = createQueue({ storage, tasks: { keyed, sum } });
    onTestFinished(() => queue.close());
    const members = Array.from({ length: MEMBERS }, (_, number) => keyed.job(number));
    const flow = await queue.enqueue(group(members).pipe(sum));
    const reads = await watchReads(url, keyPrefix, "uniques");
    await flow.revoke();
    expect(await queue.counts()).toMatchObject({ cancelled: MEMBERS + 1, ready: 0 });
    expect(reads.most).toBeGreaterThan(0);
    expect(reads.most).toBeLessThan(MEMBERS / 4);
    const again = await queue.enqueueMany(members);
    expect(again.filter(({ existing }) => existing)).toEqual([]);
  });
  test("of which a member added a job counts the others without a look at all of them", async () => {
    const server = await startTestServer();
    onTestFinished(() => server.stop());
    const { url, keyPrefix } = server;
    const storage = redisStorage({ url, keyPrefix });
    const adding = task("adding", async (number: number, { enqueue }) => {
      if (number % 100 === 0) await enqueue(second.job(number), { join: true });
      return number;
    });
    const queue = createQueue({ storage, tasks: { adding, second } });
    onTestFinished(() => queue.close());
    const members = Array.from({ length: MEMBERS }, (_, number) => adding.job(number));
    const all = await queue.enqueue(group(members));
    const reads = await watchReads(url, keyPrefix, "rows");
    await new InlineRunner(engineOf(queue)).runDue();
    expect(await all.state()).toBe("completed");
    expect((await queue.counts()).completed).toBe(MEMBERS + 4);
    expect(reads.most).toBeGreaterThan(0);
    expect(reads.most).toBeLessThan(MEMBERS);
  });
  test("of which a member added many jobs counts the end of each without a look at the others", async () => {
    const server = await startTestServer();
    onTestFinished(() => server.stop());
    const { url, keyPrefix } = server;
    const adding = task("adding", async (count: number, { enqueue }) => {
      for (let number = 1; number <= count; number += 1) await enqueue(second.job(number), { join: true });
      return count;
    });
    const queue = createQueue({ storage: redisStorage({ url, keyPrefix }), tasks: { adding, second } });
    onTestFinished(() => queue.close());
    const all = await queue.enqueue(group([adding.job(MEMBERS), second.job(0)]));
    const reads = await watchReads(url, keyPrefix, "rows");
    await new InlineRunner(engineOf(queue)).runDue();
    expect(await all.state()).toBe("completed");
    expect((await queue.counts()).completed).toBe(MEMBERS + 2);
    expect(reads.all).toBeGreaterThan(MEMBERS);
    expect(reads.all).toBeLessThan(MEMBERS * 30);
  });
});
