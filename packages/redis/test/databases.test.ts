/** Databases other than 0: what is meant for one is in no other. */
import { Redis } from "ioredis";
import { describe, expect, test } from "vitest";
import { script } from "../src/connection/script.js";
import { serverBinary } from "./servers/binary.js";
import { startProxy } from "./servers/proxy.js";
import { callerOf, refusalOf } from "./support/callers.js";
import { afterTest } from "./support/closing.js";
import { ownServer } from "./support/own-server.js";
import { connect, newPrefix } from "./support/store.js";

const put = script("put", "return redis.call('HSET', KEYS[1], ARGV[1], 1)");
/** Longer than a server of these tests takes a script for usual, in seconds. */
const BUSY = `local till = redis.call('TIME')[1] + 2 while tonumber(redis.call('TIME')[1]) < till do end return 1`;
const RETENTION = { completed: { for: 1, max: 1 }, failed: { for: 1, max: 1 } };

describe.skipIf(serverBinary() === undefined)("a database other than 0", () => {
  const own = ownServer();

  function database(number: number): Redis {
    const client = new Redis(own.server.url, { db: number });
    afterTest(() => client.disconnect());
    return client;
  }

  test("is written to also by connections that are made while the server is busy", async () => {
    await own.redis.config("SET", "lua-time-limit", "10");
    const key = newPrefix();
    const five = database(5);
    const proxy = await startProxy(own.server.port);
    afterTest(() => proxy.close());
    const caller = callerOf({ url: `${proxy.url}/5`, timeout: "10s" });
    await caller.run(put, [key], ["before"]);
    const busy = own.redis.eval(BUSY, 0);
    await expect.poll(() => five.ping().catch(String)).toContain("BUSY");
    proxy.cut();
    const during = caller.run(put, [key], ["during"]);
    await busy;
    await during;
    expect(await five.hkeys(key)).toEqual(["before", "during"]);
    expect(await own.redis.exists(key)).toBe(0);
  });

  test("of a server that stays busy is told by TASKQ_UNAVAILABLE within the time", async () => {
    await own.redis.config("SET", "lua-time-limit", "10");
    const five = database(5);
    await five.ping();
    const busy = own.redis.eval(BUSY, 0);
    await expect.poll(() => five.ping().catch(String)).toContain("BUSY");
    const refusal = await refusalOf(
      callerOf({ url: `${own.server.url}/5`, timeout: "500ms" }).command("ping", []),
    );
    await busy;
    expect(refusal).toMatchObject({ code: "TASKQ_UNAVAILABLE", message: expect.stringContaining("BUSY") });
  });

  test("that the server does not have is refused when a queue opens, and nothing is written elsewhere", async () => {
    const keyPrefix = newPrefix();
    const storage = connect({ url: `${own.server.url}/99` }, keyPrefix);
    afterTest(() => storage.close());
    const begun = performance.now();
    const refusal = await refusalOf(storage.open({ queue: "main", retention: RETENTION }));
    expect(refusal.code).toBe("TASKQ_STORAGE");
    expect(refusal.message).toContain("database 99");
    expect(refusal.message).toContain("DB index is out of range");
    expect(performance.now() - begun).toBeLessThan(2_000);
    expect(await own.redis.keys(`${keyPrefix}*`)).toEqual([]);
  });

  test("that the user may not select is refused when a queue opens, and nothing is written elsewhere", async () => {
    const keyPrefix = newPrefix();
    await own.redis.call("ACL", "SETUSER", "least", "reset", "on", ">word", "~*", "&*", "+@all", "-select");
    const storage = connect({ url: `redis://least:word@127.0.0.1:${own.server.port}/5` }, keyPrefix);
    afterTest(() => storage.close());
    const refusal = await refusalOf(storage.open({ queue: "main", retention: RETENTION }));
    expect(refusal.code).toBe("TASKQ_STORAGE");
    expect(refusal.message).toContain("database 5");
    expect(refusal.message).toContain("NOPERM");
    expect(await own.redis.keys(`${keyPrefix}*`)).toEqual([]);
  });

  test("that the user may not select any more is refused to calls, and nothing is written elsewhere", async () => {
    const key = newPrefix();
    await own.redis.call("ACL", "SETUSER", "losing", "reset", "on", ">word", "~*", "&*", "+@all");
    const caller = callerOf({ url: `redis://losing:word@127.0.0.1:${own.server.port}/5` });
    await caller.run(put, [key], ["before"]);
    await own.redis.call("ACL", "SETUSER", "losing", "-select");
    await own.redis.call("CLIENT", "KILL", "USER", "losing");
    const refusal = await refusalOf(caller.run(put, [key], ["after"]));
    expect(refusal).toMatchObject({ code: "TASKQ_STORAGE", message: expect.stringContaining("database 5") });
    await own.redis.call("ACL", "SETUSER", "losing", "+select");
    await expect.poll(() => caller.run(put, [key], ["later"]).catch(String)).toBe(1);
    expect(await own.redis.exists(key)).toBe(0);
    expect((await database(5).hkeys(key)).toSorted()).toEqual(["before", "later"]);
  });

  test("of a client of the user is meant by its settings, and refused as well", async () => {
    const client = new Redis(own.server.port, { db: 99, lazyConnect: true });
    afterTest(() => client.disconnect());
    const refusal = await refusalOf(callerOf({ client }).command("ping", []));
    expect(refusal).toMatchObject({ code: "TASKQ_STORAGE", message: expect.stringContaining("database 99") });
  });
});
