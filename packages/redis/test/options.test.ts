import { TaskqError } from "@taskq/core/storage";
import { Cluster, Redis } from "ioredis";
import { describe, expect, test } from "vitest";
import { descriptionOf } from "../src/connection/description.js";
import { keyBase, wakeChannel } from "../src/names.js";
import { settingsOf, type RedisOptions } from "../src/options.js";
import { allOf } from "./support/callers.js";
import { afterTest } from "./support/closing.js";

/** What an option is refused with. */
function refusal(options: unknown): TaskqError {
  try {
    settingsOf(options);
  } catch (error) {
    if (error instanceof TaskqError) return error;
    throw error;
  }
  throw new Error("expected a refusal");
}

function redis(options: object = {}): Redis {
  const client = new Redis({ lazyConnect: true, ...options });
  afterTest(() => client.disconnect());
  return client;
}

const described = (options: object): string => descriptionOf(settingsOf(options).source);

describe("options", () => {
  test("the defaults are those of the declaration", () => {
    expect(settingsOf({ url: "redis://localhost" })).toEqual({
      source: { kind: "options", options: { host: "localhost", port: 6379, db: 0 } },
      keyPrefix: "taskq",
      strict: false,
      minReplicas: 0,
      partitions: 1,
      timeout: 5_000,
    });
  });

  test.each([
    [undefined, "redisStorage: expected an object with 'url', 'connection' or 'client', got undefined"],
    [
      "redis://u:p@h",
      "redisStorage: expected an object with 'url', 'connection' or 'client', got a text of 13 characters",
    ],
    [
      { url: undefined },
      "redisStorage: expected one of 'url', 'connection' and 'client', got a url that is undefined; " +
        "the variable that it is read from may be unset",
    ],
    [{}, "redisStorage: expected one of 'url', 'connection' and 'client', got none"],
    [{ url: "redis://a", connection: {} }, "got 'url' and 'connection'"],
    [{ url: "redis://a", prefix: "x" }, "redisStorage: unknown option 'prefix'"],
    [{ url: 7 }, "redisStorage url: expected a text that is not empty, got 7"],
    [{ url: "" }, "redisStorage url: expected a text that is not empty"],
    [{ url: "localhost:6379" }, "redisStorage url: expected redis:// or rediss://, got localhost://"],
    [{ url: "http://localhost" }, "redisStorage url: expected redis:// or rediss://, got http://"],
    [{ url: "redis:///0" }, "redisStorage url: expected a host, got none"],
    [{ url: "redis://a/first" }, "redisStorage url: expected the number of a database"],
    [{ url: "redis://a?keyPrefix=b" }, "redisStorage url: expected nothing after '?' but family"],
    [{ url: "redis://a?family=5" }, "redisStorage url: expected family=4 or family=6"],
    [
      { url: "redis://%zz:secret@a" },
      "redisStorage url: expected % in the user or password to be written %25",
    ],
    [
      { connection: "redis://a" },
      "redisStorage connection: expected the options of new Redis(…), got a text of 9 characters",
    ],
    [{ connection: { keyPrefix: "a:" } }, "write redisStorage({ …, keyPrefix: 'a:' }) instead"],
    [{ connection: { role: "slave" } }, "expected a connection to the master, got role: 'slave'"],
    [{ connection: { readOnly: true } }, "expected a connection to the master, got readOnly: true"],
    [{ connection: { sentinels: [{ host: "a" }] } }, "expected 'name' beside 'sentinels'"],
    [{ client: {} }, "redisStorage client: expected an ioredis client or Cluster, got an object"],
    [{ client: null }, "redisStorage client: expected an ioredis client or Cluster, got null"],
    [
      { url: "redis://a", keyPrefix: "" },
      "redisStorage keyPrefix: expected a letter or digit, then at most 63",
    ],
    [{ url: "redis://a", keyPrefix: "a{b}" }, "redisStorage keyPrefix: expected a letter or digit"],
    [{ url: "redis://a", keyPrefix: "a b" }, "redisStorage keyPrefix: expected a letter or digit"],
    [{ url: "redis://a", keyPrefix: "a".repeat(65) }, "redisStorage keyPrefix: expected a letter or digit"],
    [{ url: "redis://a", strict: "yes" }, "redisStorage strict: expected true or false, got 'yes'"],
    [
      { url: "redis://a", minReplicas: -1 },
      "redisStorage minReplicas: expected an integer from 0 to 100, got -1",
    ],
    ...[0, -1, 1.5, 300, Number.NaN, "4"].map((partitions): [object, string] => [
      { url: "redis://a", partitions },
      `redisStorage partitions: expected an integer from 1 to 256, got ${typeof partitions === "string" ? `'${partitions}'` : partitions}`,
    ]),
    [{ url: "redis://a", strict: null }, "redisStorage strict: expected true or false, got null"],
    [{ url: "redis://a", timeout: null }, "redisStorage timeout: expected a duration such as"],
    [{ url: "redis://a", timeout: "5 s" }, "redisStorage timeout: expected a duration such as"],
    [
      { url: "redis://a", timeout: 10 },
      "redisStorage timeout: expected a duration from '100ms' to '60s', got 10",
    ],
  ])("%j is refused", (options, message) => {
    const error = refusal(options);
    expect(error.code).toBe("TASKQ_OPTION");
    expect(error.message).toContain(message);
  });

  test("a refused option never shows a password", () => {
    const wrong = [
      { url: "redis://user:secret@host:port" },
      { url: "redis://user:secret@host/first" },
      { url: "user:secret@host" },
      { url: "redis://user:secret@host?password=secret" },
      "redis://user:secret@host",
      { connection: { password: "secret", role: "slave" } },
      { connection: { password: "secret", sentinels: [], sentinelPassword: "secret" } },
      { connection: ["secret"] },
      { client: { password: "secret" } },
    ];
    for (const options of wrong) expect(allOf(refusal(options))).not.toContain("secret");
  });

  test("a URL is read with its user, password, database, address and TLS", () => {
    const { source } = settingsOf({ url: "rediss://us%40er:p%3Aw@[::1]:7000/12?family=6" });
    expect(source).toEqual({
      kind: "options",
      options: { host: "::1", port: 7000, db: 12, username: "us@er", password: "p:w", tls: {}, family: 6 },
    });
    expect(descriptionOf(source)).toBe("redis [::1]:7000/12");
  });

  test("clients and Clusters of ioredis are taken, with what they must not have", () => {
    const typed: RedisOptions[] = [
      { client: redis() },
      { client: new Cluster([{ host: "a" }], { lazyConnect: true }), partitions: 1 },
    ];
    expect(typed.map((options) => settingsOf(options).source.kind)).toEqual(["client", "cluster"]);
    expect(refusal({ client: redis({ keyPrefix: "app:" }) }).message).toContain(
      "expected no keyPrefix of ioredis",
    );
    expect(refusal({ client: redis({ readOnly: true }) }).message).toContain("got readOnly: true");
    const prefixed = new Cluster([{ host: "a" }], { lazyConnect: true, keyPrefix: "app:" });
    expect(refusal({ client: prefixed }).message).toContain("keyPrefix: 'app:'");
  });

  test("partitions are hash tags, of a Cluster or of one server", () => {
    const client = new Cluster([{ host: "a" }], { lazyConnect: true });
    expect(settingsOf({ client, partitions: 256 }).partitions).toBe(256);
    expect(settingsOf({ url: "redis://a", partitions: 2 }).partitions).toBe(2);
  });

  test("descriptions say where, and nothing secret", () => {
    expect(described({ url: "redis://user:secret@host:1/2" })).toBe("redis host:1/2");
    expect(described({ connection: {} })).toBe("redis localhost:6379");
    expect(described({ connection: { path: "/tmp/redis.sock", password: "secret" } })).toBe(
      "redis /tmp/redis.sock",
    );
    expect(described({ connection: { sentinels: [{ host: "a" }], name: "main" } })).toBe(
      "redis main by Sentinels",
    );
    expect(described({ client: redis({ host: "h", password: "secret" }) })).toBe("redis h:6379");
  });

  test("keys and channels of a queue share its hash tag, and partitions have their own", () => {
    expect(keyBase("taskq", "main")).toBe("taskq:{main}:");
    expect(keyBase("taskq", "main", 3)).toBe("taskq:{main:3}:");
    expect(wakeChannel("taskq", "main")).toBe("taskq:{main}:wake");
  });
});
