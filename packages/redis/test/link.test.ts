import { describe, expect, test } from "vitest";
import { Link } from "../src/link.js";
import { wakeChannel } from "../src/names.js";
import { settingsOf, type RedisOptions } from "../src/options.js";
import { script } from "../src/connection/script.js";
import { serverBinary } from "./servers/binary.js";
import { refusalOf, serverOfTest } from "./support/callers.js";
import { afterTest } from "./support/closing.js";

function linkOf(options: RedisOptions, calm?: number): Link {
  const link = new Link(settingsOf(options), calm);
  afterTest(() => link.close());
  return link;
}

/** The warnings of this process while it works. */
async function warningsOf(work: () => Promise<void>): Promise<readonly string[]> {
  const heard: string[] = [];
  const listener = (warning: Error & { code?: string }): void => {
    if (warning.code?.startsWith("TASKQ_REDIS") === true) heard.push(`${warning.code}: ${warning.message}`);
  };
  process.on("warning", listener);
  await work();
  await new Promise((done) => setImmediate(done));
  process.off("warning", listener);
  return heard;
}

describe.skipIf(serverBinary() === undefined)("link", () => {
  test("a server that voids a promise is warned of once, however many queues and storages open", async () => {
    const server = await serverOfTest();
    const link = linkOf({ url: server.url });
    const warnings = await warningsOf(async () => {
      await Promise.all(["a", "b", "a"].map((queue) => link.open(queue)));
      await link.open("c");
      await linkOf({ url: server.url }).open("a");
    });
    expect(warnings).toEqual([expect.stringMatching(/^TASKQ_REDIS_PERSISTENCE: .*appendonly yes/)]);
  });

  test("an opening that failed is tried again by the next one", async () => {
    const server = await serverOfTest({ arguments: ["--appendonly", "yes"] });
    const link = linkOf({ url: server.url, timeout: 300 });
    await server.kill();
    expect((await refusalOf(link.open("main"))).code).toBe("TASKQ_UNAVAILABLE");
    await server.restart();
    await link.open("main");
    expect(link.wakeCommand).toBe("PUBLISH");
  });

  test("a server that comes back without what it was set to is warned of, also under strict", async () => {
    const server = await serverOfTest({ arguments: ["--appendonly", "yes"] });
    const link = linkOf({ url: server.url, strict: true }, 50);
    expect(await warningsOf(() => link.open("main"))).toEqual([]);
    const warnings = await warningsOf(async () => {
      await server.restart(["--maxmemory-policy", "allkeys-lru"]);
      await link.caller.command("ping", []);
      await new Promise((done) => setTimeout(done, 500));
    });
    expect(warnings).toEqual([expect.stringMatching(/^TASKQ_REDIS_EVICTION: .*allkeys-lru/)]);
  });

  test("what a script publishes is heard by another process's link", async () => {
    const server = await serverOfTest({ arguments: ["--appendonly", "yes"] });
    const [one, other] = [linkOf({ url: server.url }), linkOf({ url: server.url })];
    await Promise.all([one.open("main"), other.open("main")]);
    const channel = wakeChannel("taskq", "main");
    const heard: (string | undefined)[] = [];
    other.listen(channel, (message) => heard.push(message?.toString()));
    await expect.poll(() => heard).toEqual([undefined]);
    const tell = script("tell", "return redis.call(ARGV[1], KEYS[1], 'news')");
    await one.caller.run(tell, [channel], [one.wakeCommand ?? ""]);
    await expect.poll(() => heard).toEqual([undefined, "news"]);
  });

  test.each(["", "a b", "{a}", "a:b", "ä", "a}", "-a", "a".repeat(65), "a\n"])(
    "a queue is not called %j",
    async (name) => {
      const error = await refusalOf(linkOf({ url: "redis://localhost:1" }).open(name));
      expect(error.code).toBe("TASKQ_OPTION");
      expect(error.message).toContain("the name of a queue: expected a letter or digit, then at most 63");
    },
  );
});
