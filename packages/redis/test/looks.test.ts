/** Single looks at jobs, and single changes of jobs, many at the same moment: a few calls for all of them. */
import { drain } from "@taskq/consumer";
import { createQueue, task, type Queue, type Result, type Storage } from "@taskq/core";
import { describe, expect, test } from "vitest";
import { serverBinary } from "./servers/binary.js";
import { afterTest } from "./support/closing.js";
import { ownServer } from "./support/own-server.js";
import { connect, newPrefix } from "./support/store.js";

const add = task("add", async ({ a }: { a: number }) => a);
const JOBS = 1_000;
/** One, then 64 in each. */
const CALLS = 17;

describe.skipIf(serverBinary() === undefined)("single calls of one moment", () => {
  const own = ownServer();

  async function scriptsOf(work: () => Promise<unknown>): Promise<number> {
    await own.redis.config("RESETSTAT");
    await work();
    return Number(/cmdstat_evalsha:calls=(\d+)/.exec(await own.redis.info("commandstats"))?.[1]);
  }

  async function stored(): Promise<{ queue: Queue<"add">; results: readonly Result<number>[] }> {
    const storage = connect(own.server, newPrefix()) as unknown as Storage;
    const queue = createQueue({ storage, tasks: { add } });
    afterTest(() => queue.close());
    const results = await queue.enqueueMany(Array.from({ length: JOBS }, (_, a) => add.job({ a })));
    // The scripts are known.
    await results[0]?.info();
    await queue.why(results[0]?.id ?? "");
    await results[0]?.reschedule({ delay: 0 });
    return { queue, results };
  }

  test("looks at many jobs are a few calls, and each is told of its own", async () => {
    const { queue, results } = await stored();
    const looks = async (): Promise<void> => {
      const infos = await Promise.all(results.map(({ id }) => queue.job(id)));
      expect(infos.map((info) => info?.id)).toEqual(results.map(({ id }) => id));
      expect(infos.map((info) => info?.input)).toEqual(results.map((_, a) => ({ a })));
    };
    expect(await scriptsOf(looks)).toBe(CALLS);
    const states = await scriptsOf(async () => {
      const told = await Promise.all(results.map((result) => result.state()));
      expect(new Set(told)).toEqual(new Set(["ready"]));
    });
    // Those that the short way cannot tell are asked for the long one.
    expect(states).toBeLessThanOrEqual(2 * CALLS);
    const reasons = await scriptsOf(async () => {
      const told = await Promise.all(results.map(({ id }) => queue.why(id)));
      expect(told.map(({ id }) => id)).toEqual(results.map(({ id }) => id));
    });
    expect(reasons).toBe(CALLS);
  });

  test("changes of many jobs are a few calls, and each is told of its own", async () => {
    const { results } = await stored();
    const [first, second] = results;
    expect(await second?.revoke()).toBe(true);
    const revoking = await scriptsOf(async () => {
      const changed = await Promise.all(results.map((result) => result.revoke()));
      expect(changed).toEqual(results.map((_, a) => a !== 1));
    });
    expect(revoking).toBe(CALLS);
    expect(
      await Promise.all([first, first, second, second].map(async (result) => result?.restore())),
    ).toEqual([true, false, true, false]);
  });

  test("operations on many values are a few calls, carried out in their order, and each is told of its own", async () => {
    const { queue } = await stored();
    const { values } = queue;
    await values.set("first", 0);
    await values.get("first");
    const keys = Array.from({ length: JOBS }, (_, n) => `key ${n}`);
    const setting = await scriptsOf(() => Promise.all(keys.map((key, n) => values.set(key, n))));
    expect(setting).toBe(CALLS);
    const getting = await scriptsOf(async () => {
      expect(await Promise.all(keys.map((key) => values.get(key)))).toEqual(keys.map((_, n) => n));
    });
    expect(getting).toBe(CALLS);
    const counting = await scriptsOf(async () => {
      const counts = await Promise.all(keys.map(() => values.increment("all")));
      expect(counts).toEqual(keys.map((_, n) => n + 1));
    });
    expect(counting).toBe(CALLS);
    const [before, , after, taken, gone, number] = await Promise.all([
      values.get("key 1"),
      values.set("key 1", "x".repeat(100_000)),
      values.get<string>("key 1"),
      values.take("key 2"),
      values.get("key 2"),
      // A text that was set is none to count on; one that is refused keeps no other.
      values.increment("key 1").catch((error: unknown) => error),
    ]);
    expect([before, after?.length, taken, gone]).toEqual([1, 100_000, 2, undefined]);
    expect(number).toMatchObject({ code: "TASKQ_NOT_A_NUMBER" });
    expect(await values.increment("key 3", 2)).toBe(5);
  });

  test("values that are large together are read by several scripts, none of which keeps others waiting for long", async () => {
    const { queue } = await stored();
    const keys = Array.from({ length: 50 }, (_, n) => `large ${n}`);
    for (const key of keys) await queue.values.set(key, key.padEnd(100_000));
    await queue.values.set("small", 1);
    const reading = await scriptsOf(async () => {
      const [first, ...values] = await Promise.all(
        ["small", ...keys].map((key) => queue.values.get<string>(key)),
      );
      expect(first).toBe(1);
      expect(values.map((value) => value?.trimEnd())).toEqual(keys);
      expect(new Set(values.map((value) => value?.length))).toEqual(new Set([100_000]));
    });
    // Eleven in each.
    expect(reading).toBe(1 + 5);
  });

  test("large messages and results are read by several scripts likewise", async () => {
    const echo = task("echo", async (text: string) => text);
    const storage = connect(own.server, newPrefix()) as unknown as Storage;
    const queue = createQueue({ storage, tasks: { echo } });
    afterTest(() => queue.close());
    const texts = Array.from({ length: 31 }, (_, n) => `large ${n}`.padEnd(100_000));
    const [small, ...results] = await queue.enqueueMany(["small", ...texts].map((text) => echo.job(text)));
    await queue.job(small?.id ?? "");
    const looking = await scriptsOf(async () => {
      const infos = await Promise.all([small, ...results].map((result) => queue.job(result?.id ?? "")));
      expect(infos.map((info) => info?.input)).toEqual(["small", ...texts]);
    });
    // Eleven in each.
    expect(looking).toBe(1 + 3);
    await drain(queue);
    await small?.peek();
    const reading = await scriptsOf(async () => {
      const outcomes = await Promise.all([small, ...results].map(async (result) => result?.peek()));
      expect(outcomes).toEqual(["small", ...texts].map((value) => ({ state: "completed", value })));
    });
    expect(reading).toBe(1 + 3);
  });

  test("a call that comes while none is under way waits for no others, and each is asked before those behind it", async () => {
    const { results } = await stored();
    const [first, second, third] = results;
    const [before, revoked, after] = await Promise.all([second?.state(), second?.revoke(), second?.state()]);
    expect([before, revoked, after]).toEqual(["ready", true, "cancelled"]);
    expect(await Promise.all([third?.revoke(), third?.revoke(), third?.revoke()])).toEqual([
      true,
      false,
      false,
    ]);
    const one = await scriptsOf(async () => {
      for (let n = 0; n < 3; n += 1) await first?.info();
    });
    expect(one).toBe(3);
  });
});
