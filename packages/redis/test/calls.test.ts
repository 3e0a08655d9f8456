import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { describe, expect, test } from "vitest";
import { script } from "../src/connection/script.js";
import { slotOf } from "../src/connection/slot.js";
import { ask } from "./servers/ask.js";
import { serverBinary } from "./servers/binary.js";
import { afterTest } from "./support/closing.js";
import { allOf, callerOf, refusalOf, serverOfTest } from "./support/callers.js";
import { startRedisServer } from "./servers/redis-server.js";

const echo = script("echo", "return { ARGV[1], #ARGV[1], false, { KEYS[1] } }");
const set = script("set", "return redis.call('SET', KEYS[1], ARGV[1])");

describe.skipIf(serverBinary() === undefined)("calls", () => {
  test("a script is answered with numbers, bytes as they were given, null and lists", async () => {
    const server = await serverOfTest();
    const caller = callerOf({ url: server.url });
    const bytes = Uint8Array.from({ length: 256 }, (_, byte) => byte);
    expect(await caller.run(echo, ["{a}:key"], [bytes])).toEqual([
      Buffer.from(bytes),
      256,
      null,
      [Buffer.from("{a}:key")],
    ]);
  });

  test("calls are sent in the order in which they are made", async () => {
    const server = await serverOfTest();
    const caller = callerOf({ url: server.url });
    const push = script("push", "return redis.call('RPUSH', KEYS[1], ARGV[1])");
    const lengths = await Promise.all(Array.from({ length: 500 }, (_, n) => caller.run(push, ["list"], [n])));
    expect(lengths).toEqual(Array.from({ length: 500 }, (_, n) => n + 1));
  });

  test("the text of a script is sent once, also when the server forgets it in the midst of many calls", async () => {
    const server = await serverOfTest();
    const caller = callerOf({ url: server.url });
    const calls = (): Promise<unknown> =>
      Promise.all(Array.from({ length: 300 }, () => caller.run(echo, ["key"], ["x"])));
    await calls();
    expect(await countOf(server.port, "eval")).toBe(1);
    await ask(server.port, [["SCRIPT", "FLUSH"]]);
    await calls();
    expect(await countOf(server.port, "eval")).toBe(2);
  });

  test("who listens to the commands of ioredis hears of each call how it ended", async () => {
    const server = await serverOfTest();
    const caller = callerOf({ url: server.url });
    const wrong = script("wrong", "return redis.call('NO SUCH COMMAND')");
    await caller.run(echo, ["key"], ["x"]);
    await refusalOf(caller.run(wrong, ["key"], []));
    const heard: unknown[] = [];
    const told = (message: unknown): void => void heard.push((message as { command: string }).command);
    const channels = ["asyncEnd", "error"].map((event) => `tracing:ioredis:command:${event}`);
    for (const channel of channels) subscribe(channel, told);
    afterTest(() => {
      for (const channel of channels) unsubscribe(channel, told);
    });
    const replied = await caller.run(echo, ["key"], ["y"]);
    expect((replied as readonly unknown[])[0]).toEqual(Buffer.from("y"));
    expect((await refusalOf(caller.run(wrong, ["key"], []))).code).toBe("TASKQ_STORAGE");
    expect(heard).toEqual(["evalsha", "evalsha", "evalsha"]);
  });

  test("one process has one connection, and none before the first call", async () => {
    const server = await serverOfTest();
    const caller = callerOf({ url: server.url });
    expect(await connections(server.port)).toBe(0);
    await Promise.all(Array.from({ length: 50 }, () => caller.command("ping", [])));
    expect(await connections(server.port)).toBe(1);
    caller.close();
    await expect.poll(() => connections(server.port)).toBe(0);
  });

  test("closing rejects what is under way, and every later call, with TASKQ_CLOSED", async () => {
    const server = await serverOfTest();
    const caller = callerOf({ url: server.url });
    await caller.command("ping", []);
    server.pause();
    const waiting = refusalOf(caller.command("ping", []));
    caller.close();
    expect((await waiting).code).toBe("TASKQ_CLOSED");
    expect((await refusalOf(caller.command("ping", []))).code).toBe("TASKQ_CLOSED");
  });

  test("an error in a script is TASKQ_STORAGE and names the script, without its parameters", async () => {
    const server = await serverOfTest();
    const caller = callerOf({ url: server.url });
    const wrong = script("wrong", "return redis.call('LPOP', KEYS[1])");
    await caller.run(set, ["key"], ["confidential"]);
    const error = await refusalOf(caller.run(wrong, ["key"], ["confidential"]));
    expect(error.code).toBe("TASKQ_STORAGE");
    expect(error.message).toMatch(/^script wrong: .*WRONGTYPE/);
    expect(allOf(error)).not.toContain("confidential");
  });

  test("a password passes through, and a wrong one is told at once and never shown", async () => {
    const server = await startRedisServer({
      arguments: ["--requirepass", "open sesame"],
      password: "open sesame",
    });
    afterTest(() => server.stop());
    const right = callerOf({ url: `redis://:open%20sesame@127.0.0.1:${server.port}` });
    expect(String(await right.command("ping", []))).toBe("PONG");
    const begun = performance.now();
    const wrong = callerOf({ connection: { port: server.port, password: "close sesame" } });
    const refused = await refusalOf(wrong.command("ping", []));
    expect(refused.code).toBe("TASKQ_STORAGE");
    expect(refused.message).toContain("WRONGPASS");
    expect(performance.now() - begun).toBeLessThan(4_000);
    expect(allOf(refused)).not.toContain("close sesame");
    const without = await refusalOf(callerOf({ url: server.url }).command("ping", []));
    expect(without).toMatchObject({ code: "TASKQ_STORAGE", message: expect.stringContaining("NOAUTH") });
  });

  test("slots are those of the server", async () => {
    expect(slotOf("123456789")).toBe(0x31c3);
    expect(slotOf("taskq:{main}:ready")).toBe(slotOf("main"));
    expect(slotOf("{}main")).not.toBe(slotOf("main"));
    const server = await serverOfTest({
      arguments: ["--cluster-enabled", "yes", "--cluster-config-file", "nodes"],
    });
    for (const key of ["", "a", "taskq:{main}:x", "{", "}{", "{}", "{{a}}", "grüße", "{größe}x"]) {
      expect(slotOf(key)).toBe(Number(await ask(server.port, [["CLUSTER", "KEYSLOT", key]])));
    }
  });
});

async function countOf(port: number, command: string): Promise<number> {
  const stats = await ask(port, [["INFO", "commandstats"]]);
  return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
}

/** Those beside the one that asks. */
async function connections(port: number): Promise<number> {
  const list = await ask(port, [["CLIENT", "LIST"]]);
  return list.trim().split("\n").length - 1;
}
