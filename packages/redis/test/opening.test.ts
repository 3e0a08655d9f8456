import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Cluster } from "ioredis";
import { describe, expect, test } from "vitest";
import { Caller } from "../src/connection/caller.js";
import { descriptionOf } from "../src/connection/description.js";
import { keyBase } from "../src/names.js";
import { clocksApart } from "../src/opening/clocks.js";
import { checkServer, type CheckedServer } from "../src/opening/check-server.js";
import { factsOf, type ServerFacts } from "../src/opening/facts.js";
import { findingsOf } from "../src/opening/findings.js";
import { settingsOf, type RedisOptions } from "../src/options.js";
import { ask } from "./servers/ask.js";
import { serverBinary } from "./servers/binary.js";
import { hasShardedHints, startCluster } from "./servers/cluster.js";
import { startRedisServer } from "./servers/redis-server.js";
import { refusalOf, serverOfTest } from "./support/callers.js";
import { afterTest } from "./support/closing.js";

/** A server of which nothing is to be said. */
const SOUND = ["--appendonly", "yes", "--appendfsync", "everysec"];

function check(options: RedisOptions, queues: readonly string[] = ["main"]): Promise<CheckedServer> {
  const settings = settingsOf(options);
  const caller = new Caller(settings);
  afterTest(() => caller.close());
  return checkServer({
    caller,
    cluster: settings.source.kind === "cluster",
    strict: settings.strict,
    minReplicas: settings.minReplicas,
    bases: queues.map((queue) => keyBase(settings.keyPrefix, queue)),
    description: descriptionOf(settings.source),
  });
}

const messagesOf = ({ findings }: CheckedServer): readonly string[] => findings.map(({ message }) => message);

const sound: ServerFacts = {
  address: "a:1",
  kind: "redis",
  version: "7.2.4",
  mode: "standalone",
  role: "master",
  masterAddress: undefined,
  replicas: 0,
  policy: "noeviction",
  appendOnly: true,
  appendSync: "everysec",
  snapshots: "",
  ahead: [-3, 2],
};
const alone = { cluster: false, minReplicas: 0 };

describe("findings", () => {
  test("of a sound server there is nothing to say", () => {
    expect(findingsOf(sound, alone)).toEqual([]);
  });

  test.each([
    ["redis", "6.0.16"],
    ["redis", "5.0.14"],
  ] as const)("%s %s is too old", (kind, version) => {
    expect(findingsOf({ ...sound, kind, version }, alone)).toEqual([
      {
        weight: "refused",
        code: "TASKQ_REDIS_VERSION",
        message: expect.stringContaining(`${version} server at a:1 is too old; expected Redis 6.2`),
      },
    ]);
  });

  test.each([
    ["redis", "6.2.0"],
    ["redis", "8.2.1"],
    ["redis", "10.0.0"],
    ["valkey", "1.0.0"],
  ] as const)("%s %s is not too old", (kind, version) => {
    expect(findingsOf({ ...sound, kind, version }, alone)).toEqual([]);
  });

  test("what a server does not tell is not held against it, and is told", () => {
    const facts = Object.fromEntries(Object.keys(sound).map((name) => [name, undefined]));
    const findings = findingsOf({ ...(facts as unknown as ServerFacts), address: "a:1" }, alone);
    expect(findings).toMatchObject([{ weight: "told", code: "TASKQ_REDIS_UNSEEN" }]);
  });

  test("servers whose clocks differ by a second and more are told, and not those that may differ by the time of an answer", () => {
    const at = (address: string, least: number, most: number): ServerFacts => ({
      ...sound,
      address,
      ahead: [least, most],
    });
    const slow = at("slow:1", -12_010, -12_000);
    const unseen = { ...sound, ahead: undefined };
    expect(clocksApart([sound, unseen, slow, at("other:1", 0, 5_000)])).toEqual({
      weight: "told",
      code: "TASKQ_REDIS_CLOCKS",
      message: expect.stringMatching(/server at other:1 is 12 s ahead of that of the .* server at slow:1/),
    });
    expect(clocksApart([sound, at("far:1", -4_000, 900), at("near:1", 900, 990)])).toBeUndefined();
    expect(clocksApart([slow])).toBeUndefined();
    expect(clocksApart([unseen])).toBeUndefined();
  });

  test("a log that is written when the system likes voids a promise", () => {
    expect(findingsOf({ ...sound, appendSync: "no" }, alone)).toMatchObject([
      { weight: "void", message: expect.stringContaining("CONFIG SET appendfsync everysec") },
    ]);
  });
});

test.each([
  { kind: "redis", version: "7.0.15", lines: ["redis_version:7.0.15", "redis_mode:cluster"] },
  {
    kind: "valkey",
    version: "8.1.4",
    lines: ["redis_version:7.2.4", "server_mode:cluster", "valkey_version:8.1.4"],
  },
  // Whose own version tells nothing of what it can do.
  {
    kind: "redis",
    version: "7.2.4",
    lines: ["redict_version:7.3.6", "redict_mode:cluster", "redis_version:7.2.4"],
  },
])("what a server tells of itself is read by whatever name: $lines", ({ kind, version, lines }) => {
  const facts = factsOf("a:1", ["# Server", ...lines, ""].join("\r\n"), new Map(), { from: 0, to: 0 });
  expect(facts).toMatchObject({ kind, version, mode: "cluster" });
});

describe.skipIf(serverBinary() === undefined)("opening", () => {
  test("a sound server opens without a word", async () => {
    const server = await serverOfTest({ arguments: SOUND });
    const checked = await check({ url: server.url, strict: true });
    expect(checked).toMatchObject({ findings: [], wake: "plain" });
    expect(checked.servers).toMatchObject([
      { role: "master", mode: "standalone", policy: "noeviction", appendOnly: true, appendSync: "everysec" },
    ]);
    const [least = Infinity, most = -Infinity] = checked.servers[0]?.ahead ?? [];
    expect(least).toBeLessThan(100);
    expect(most).toBeGreaterThan(-100);
  });

  test("a policy that evicts is warned of with the line that mends it, and refused by strict", async () => {
    const server = await serverOfTest({ arguments: [...SOUND, "--maxmemory-policy", "allkeys-lru"] });
    const checked = await check({ url: server.url });
    expect(messagesOf(checked)).toEqual([expect.stringContaining("maxmemory-policy allkeys-lru")]);
    const error = await refusalOf(check({ url: server.url, strict: true }));
    expect(error.code).toBe("TASKQ_STORAGE");
    const line = /redis-cli (CONFIG SET \S+ \S+)/.exec(error.message)?.[1] ?? "";
    await ask(server.port, [line.split(" ")]);
    expect((await check({ url: server.url, strict: true })).findings).toEqual([]);
  });

  test("a server that keeps nothing, or snapshots only, is warned of with the line that mends it", async () => {
    const server = await serverOfTest();
    expect(messagesOf(await check({ url: server.url }))).toEqual([
      expect.stringContaining("keeps nothing on disk"),
    ]);
    await ask(server.port, [["CONFIG", "SET", "save", "3600 1"]]);
    expect(messagesOf(await check({ url: server.url }))).toEqual([expect.stringContaining("last snapshot")]);
    const error = await refusalOf(check({ url: server.url, strict: true }));
    expect(error.message).toMatch(/CONFIG SET appendonly yes .*refused by strict/);
    const line = /redis-cli (CONFIG SET \S+ \S+)/.exec(error.message)?.[1] ?? "";
    await ask(server.port, [line.split(" ")]);
    expect((await check({ url: server.url, strict: true })).findings).toEqual([]);
  });

  test("a replica is refused", async () => {
    const master = await serverOfTest({ arguments: SOUND });
    const replica = await serverOfTest({
      arguments: [...SOUND, "--replicaof", "127.0.0.1", String(master.port)],
    });
    const error = await refusalOf(check({ url: replica.url }));
    expect(error.code).toBe("TASKQ_STORAGE");
    expect(error.message).toContain(`at 127.0.0.1:${replica.port} is a replica of 127.0.0.1:${master.port}`);
    expect(error.message).toContain("connection: { sentinels:");
  });

  test("too few replicas for minReplicas are told", async () => {
    const server = await serverOfTest({ arguments: SOUND });
    expect(messagesOf(await check({ url: server.url, minReplicas: 1 }))).toEqual([
      expect.stringContaining("has 0 replicas and minReplicas is 1"),
    ]);
  });

  test("a Sentinel that is taken for a server is refused", async () => {
    const sentinel = await startRedisServer({ sentinel: { configuration: idleSentinel } });
    afterTest(() => sentinel.stop());
    const error = await refusalOf(check({ url: sentinel.url }));
    expect(error.message).toContain("is a Sentinel, which keeps no jobs; write connection: { sentinels:");
  });

  test(
    "a node of a Cluster is refused where a server was expected; a Cluster opens",
    { timeout: 60_000 },
    async () => {
      const servers = await startCluster({ arguments: SOUND });
      afterTest(() => servers.stop());
      const error = await refusalOf(check({ url: servers.masters[0]?.url ?? "" }));
      expect(error.message).toContain("write client: new Cluster([{ host, port }])");
      const client = new Cluster(servers.startupNodes);
      afterTest(() => client.disconnect());
      const queues = Array.from({ length: 30 }, (_, n) => `queue-${n}`);
      const checked = await check({ client, strict: true }, queues);
      const sharded = await hasShardedHints(servers);
      const note = expect.stringContaining("hints by hash slot need a Cluster of Redis 7 or newer");
      const told = sharded ? [] : [note];
      expect(checked.wake).toBe(sharded ? "sharded" : "none");
      expect(messagesOf(checked)).toEqual(told);
      expect(new Set(checked.servers.map(({ address }) => address))).toEqual(
        new Set(servers.masters.map(({ port }) => `127.0.0.1:${port}`)),
      );
      // one node of three
      await ask(servers.masters[1]?.port ?? 0, [["CONFIG", "SET", "maxmemory-policy", "volatile-ttl"]]);
      expect(messagesOf(await check({ client }, queues))).toEqual([
        expect.stringContaining(
          `at 127.0.0.1:${servers.masters[1]?.port} has the maxmemory-policy volatile-ttl`,
        ),
        ...told,
      ]);
    },
  );

  test("a user who sees little opens with a warning, which has the line that mends it", async () => {
    const server = await serverOfTest({
      arguments: [
        ...SOUND,
        "--user",
        "little",
        "on",
        "nopass",
        "~taskq:*",
        "resetchannels",
        "&taskq:*",
      ].concat(["+publish", "+ping"]),
    });
    const url = `redis://little@127.0.0.1:${server.port}`;
    const checked = await check({ url, strict: true });
    expect(checked.wake).toBe("plain");
    expect(messagesOf(checked)).toEqual([expect.stringContaining("ACL SETUSER <user> +info")]);
    await ask(server.port, [["ACL", "SETUSER", "little", "+info"]]);
    expect(messagesOf(await check({ url }))).toEqual([]);
  });

  test("a user who may not publish polls, and is told the line that mends it", async () => {
    const server = await serverOfTest({
      arguments: [...SOUND, "--user", "mute", "on", "nopass", "~taskq:*", "resetchannels", "+@all"],
    });
    const url = `redis://mute@127.0.0.1:${server.port}`;
    const checked = await check({ url });
    expect(checked.wake).toBe("none");
    expect(messagesOf(checked)).toEqual([expect.stringContaining("ACL SETUSER <user> &taskq:{main}:wake*")]);
    await ask(server.port, [["ACL", "SETUSER", "mute", "&taskq:{main}:wake*"]]);
    expect(await check({ url })).toMatchObject({ findings: [], wake: "plain" });
  });

  test("a server that is away is told as that, and not as one that cannot work", async () => {
    const server = await serverOfTest();
    await server.kill();
    expect((await refusalOf(check({ url: server.url, timeout: 300 }))).code).toBe("TASKQ_UNAVAILABLE");
  });
});

/** A Sentinel that watches nobody. */
function idleSentinel(folder: string): string {
  const file = join(folder, "sentinel.conf");
  writeFileSync(file, "");
  return file;
}
