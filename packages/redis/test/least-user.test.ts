import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { Cluster } from "ioredis";
import { storageSuite } from "@taskq/conformance";
import type { StorageContract } from "@taskq/core/storage";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { redisStorage } from "../src/create-storage.js";
import { ask } from "./servers/ask.js";
import { Link } from "../src/link.js";
import { keyBase, wakeChannel } from "../src/names.js";
import { settingsOf } from "../src/options.js";
import { script } from "../src/connection/script.js";
import { serverBinary } from "./servers/binary.js";
import { hasShardedHints, startCluster } from "./servers/cluster.js";
import { startRedisServer, type RedisServer } from "./servers/redis-server.js";
import { refusalOf } from "./support/callers.js";
import { afterTest } from "./support/closing.js";

const root = resolve(fileURLToPath(import.meta.url), "../../../..");
const page = readFileSync(join(root, "apps/docs/guide/redis.md"), "utf8");
/** What users are told to write. */
const line = /<!-- least-user -->\s+```\n(ACL SETUSER .*)\n```/.exec(page)?.[1]?.split(" ") ?? [];

/** What a Cluster needs beside it, of any version, and for hints by hash slot. */
const [, onCluster = "", forHints = ""] =
  /On a Cluster add `([^`]+)`, and from Redis 7 on `([^`]+)`/.exec(page) ?? [];

describe.skipIf(serverBinary() === undefined)("the least user of the guide", () => {
  let server: RedisServer;
  let made = 0;

  const connect = (queuePrefix: string): StorageContract =>
    redisStorage({
      url: `redis://taskq:password@127.0.0.1:${server.port}`,
      keyPrefix: queuePrefix,
    }) as unknown as StorageContract;

  beforeAll(async () => {
    server = await startRedisServer({ arguments: ["--appendonly", "yes"] });
    await ask(server.port, [line]);
  });
  afterAll(() => server.stop());

  test("it is told nothing when it opens, and may not do what is not listed", async () => {
    const storage = connect("taskq:opening");
    const warnings: string[] = [];
    const listener = (warning: Error): void => void warnings.push(warning.message);
    process.on("warning", listener);
    const retention = { completed: { for: 1, max: 1 }, failed: { for: 1, max: 1 } };
    await storage.open({ queue: "main", retention });
    await new Promise((done) => setImmediate(done));
    process.off("warning", listener);
    await storage.close();
    expect(warnings).toEqual([]);
    for (const command of [
      ["FLUSHALL"],
      ["CONFIG", "SET", "maxmemory", "1"],
      ["SET", "other", "1"],
      ["KEYS", "*"],
    ]) {
      const refused = ask(server.port, [["AUTH", "taskq", "password"], command]);
      await expect(refused).rejects.toThrow("NOPERM");
    }
  });

  test("without one of them, each call is told which line mends it, and goes on once it is mended", async () => {
    const storage = connect("taskq:without");
    afterTest(() => storage.close());
    const retention = { completed: { for: 1, max: 1 }, failed: { for: 1, max: 1 } };
    await storage.open({ queue: "main", retention });
    for (const command of ["evalsha", "hset", "zadd", "get", "time"]) {
      await ask(server.port, [["ACL", "SETUSER", "taskq", `-${command}`]]);
      const refused = storage.values({
        queue: "main",
        operation: command,
        operations: [{ kind: "increment", key: "n", by: 1, expiresAt: undefined }],
      });
      const { code, message } = await refusalOf(refused);
      expect([code, message]).toEqual(["TASKQ_STORAGE", expect.stringContaining("the line for ACL SETUSER")]);
      await ask(server.port, [["ACL", "SETUSER", "taskq", `+${command}`]]);
    }
    await storage.counts({ queue: "main" });
  });

  test(
    "on a Cluster it opens without a word, is answered and hears",
    { timeout: 60_000 },
    async (context) => {
      const cluster = await startCluster({ arguments: ["--appendonly", "yes"] });
      afterTest(() => cluster.stop());
      context.skip(!(await hasShardedHints(cluster)), "no hints by hash slot before Redis 7");
      for (const { port } of cluster.masters) {
        expect(await ask(port, [[...line, ...onCluster.split(" "), ...forHints.split(" ")]])).toBe("OK");
      }
      const client = new Cluster(cluster.startupNodes, {
        redisOptions: { username: "taskq", password: "password" },
        lazyConnect: true,
      });
      afterTest(() => client.disconnect());
      const link = new Link(settingsOf({ client, strict: true }));
      afterTest(() => link.close());
      for (const queue of ["a", "b", "c", "d"]) {
        await link.open(queue);
        const channel = wakeChannel("taskq", queue);
        const heard: (string | undefined)[] = [];
        link.listen(channel, (message) => heard.push(message?.toString()));
        await expect.poll(() => heard).toEqual([undefined]);
        const tell = script(
          "tell",
          "redis.call('HSET', KEYS[2], 1, 1) return redis.call(ARGV[1], KEYS[1], 'news')",
        );
        await link.caller.run(tell, [channel, `${keyBase("taskq", queue)}x`], [link.wakeCommand ?? ""]);
        await expect.poll(() => heard).toEqual([undefined, "news"]);
      }
      expect(link.wakeCommand).toBe("SPUBLISH");
    },
  );

  storageSuite({
    runner: { describe, test },
    name: "redis, as the least user",
    create: async () => {
      made += 1;
      const prefix = `taskq:t${made}`;
      const storage = connect(prefix);
      return { storage, second: async () => connect(prefix), close: () => storage.close() };
    },
  });
});
