/** Replies and messages that are read past ioredis, however they are cut on their way. */
import type { Redis } from "ioredis";
import { describe, expect, test } from "vitest";
import { goesDirectly } from "../src/connection/direct.js";
import { script } from "../src/connection/script.js";
import { settingsOf } from "../src/options.js";
import { Wake } from "../src/wake/wake.js";
import { ask } from "./servers/ask.js";
import { serverBinary } from "./servers/binary.js";
import { startProxy, type Proxy } from "./servers/proxy.js";
import { callerOf, refusalOf, serverOfTest } from "./support/callers.js";
import { afterTest } from "./support/closing.js";
import { seeded } from "./support/seeded.js";

const CHANNEL = "taskq:{main}:wake";
const kinds = script("kinds", "return { ARGV[1], -7, false, { {}, { ARGV[2] } }, #ARGV[1] }");
const text = script("text", "return ARGV[1]");
const number = script("number", "return tonumber(ARGV[1])");
const failing = script("failing", "return redis.error_reply('OTHERWISE ' .. ARGV[1])");
const deep = script("deep", "local list = 'end' for _ = 1, 12 do list = { list } end return list");

/** What could be taken for a reply, where a piece begins with it. */
const LOOKALIKE = "$5\r\nhello\r\n:1\r\n*2\r\n$1\r\nx\r\n";

async function proxyOfTest(port: number): Promise<Proxy> {
  const proxy = await startProxy(port);
  afterTest(() => proxy.close());
  return proxy;
}

function wakeThrough(proxy: Proxy, url: string): Wake {
  const { source } = settingsOf({ url: proxy.url });
  const wake = new Wake({ caller: callerOf({ url }), source, mode: "plain", beat: 3_600_000 });
  afterTest(() => wake.close());
  return wake;
}

/** What it hears from now on. */
async function hearing(wake: Wake): Promise<readonly string[]> {
  const heard: string[] = [];
  await new Promise<void>((resolve) => {
    wake.listen(CHANNEL, (message) => {
      if (message === undefined) resolve();
      else heard.push(String(message));
    });
  });
  return heard;
}

describe.skipIf(serverBinary() === undefined)("past ioredis", () => {
  test.each([1, 2, 3])("replies in pieces are those of their calls (seed %i)", async (seed) => {
    const random = seeded(seed);
    const proxy = await proxyOfTest((await serverOfTest()).port);
    const caller = callerOf({ url: proxy.url, timeout: 30_000 });
    await caller.run(text, ["key"], ["first"]);
    expect(goesDirectly(caller.connection.client as unknown as Redis)).toBe(true);
    proxy.inPieces(() => 1 + Math.floor(random() ** 4 * 30_000));

    // What is answered, and what is expected.
    const one = async (n: number): Promise<readonly [unknown, unknown]> => {
      const size = Math.floor(random() ** 8 * 200_000);
      const long = LOOKALIKE.repeat(Math.ceil(size / LOOKALIKE.length));
      switch (Math.floor(random() * 6)) {
        case 0:
          return [String(await caller.run(text, ["key"], [long])), long];
        case 1:
          return [await caller.run(number, ["key"], [n - 50]), n - 50];
        case 2:
          return [String((await refusalOf(caller.run(failing, ["key"], [n]))).cause).includes(` ${n}`), true];
        case 3:
          return [String(await caller.command("echo", [long])), long];
        default: {
          const list = [Buffer.from(long), -7, null, [[], [Buffer.from(String(n))]], long.length];
          return [await caller.run(kinds, ["key"], [long, n]), list];
        }
      }
    };
    for (let round = 0; round < 20; round += 1) {
      const together = 1 + Math.floor(random() * 6);
      const answers = await Promise.all(Array.from({ length: together }, (_, n) => one(round * 10 + n)));
      expect(answers.map(([answer]) => answer)).toEqual(answers.map(([, expected]) => expected));
    }
  });

  test("lists that are deeper than any of ours are left to ioredis", async () => {
    const caller = callerOf({ url: (await serverOfTest()).url });
    let list: unknown = Buffer.from("end");
    for (let level = 0; level < 12; level += 1) list = [list];
    for (let turn = 0; turn < 3; turn += 1) expect(await caller.run(deep, ["key"], [])).toEqual(list);
  });

  test("a long message whose pieces look like messages is one", async () => {
    const server = await serverOfTest();
    const proxy = await proxyOfTest(server.port);
    const heard = await hearing(wakeThrough(proxy, server.url));
    const lookalike = `*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$33\r\n${"x".repeat(33)}\r\n`;
    // So much that the first of them begins with a piece: the head of the message has 50 bytes.
    const message = "p".repeat(lookalike.length - 50) + lookalike.repeat(2_400);
    proxy.inPieces(() => lookalike.length);
    await ask(server.port, [["PUBLISH", CHANNEL, message]]);
    await ask(server.port, [["PUBLISH", CHANNEL, "behind"]]);
    await expect.poll(() => heard, { timeout: 8_000 }).toEqual([message, "behind"]);
  });

  test.each([1, 2, 3])(
    "messages in pieces are heard whole, each once, in their order (seed %i)",
    async (seed) => {
      const random = seeded(seed);
      const server = await serverOfTest();
      const proxy = await proxyOfTest(server.port);
      const wake = wakeThrough(proxy, server.url);
      const heard = await hearing(wake);
      proxy.inPieces(() => 1 + Math.floor(random() ** 4 * 30_000));

      const sent: string[] = [];
      for (let n = 0; n < 60; n += 1) {
        const size = n === 40 ? 150_000 : Math.floor(random() ** 3 * 3_000);
        sent.push(`${LOOKALIKE.repeat(Math.ceil(size / LOOKALIKE.length))}${n}`);
        // Its confirmation comes between the messages.
        if (n === 20) wake.listen("taskq:{other}:wake", () => {});
        await ask(server.port, [["PUBLISH", CHANNEL, sent[n] as string]]);
      }
      await expect.poll(() => heard.length, { timeout: 8_000 }).toBe(sent.length);
      expect(heard).toEqual(sent);
    },
  );
});
