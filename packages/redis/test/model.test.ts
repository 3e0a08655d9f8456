import { modelSuite, type Fixture } from "@taskq/conformance";
import type { StorageContract } from "@taskq/core/storage";
import { memoryStorage } from "@taskq/memory";
import { afterAll, beforeAll, describe, test } from "vitest";
import { serverBinary } from "./servers/binary.js";
import { startRedisServer, type RedisServer } from "./servers/redis-server.js";
import { connect, newPrefix } from "./support/store.js";

type Changing = "step" | "reap" | "amend" | "tick" | "enqueue";
const CHANGING: ReadonlySet<string> = new Set<Changing>(["step", "reap", "amend", "tick", "enqueue"]);

/** When a storage purges by itself is left to it: here each does so after every call that may end a job. */
function purging(contract: StorageContract): StorageContract {
  return new Proxy(contract, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property);
      if (typeof value !== "function") return value;
      if (!CHANGING.has(String(property))) return (value as () => unknown).bind(target);
      return async (request: { queue: string; now: number }) => {
        const answer: unknown = await (value as (request: unknown) => unknown).call(target, request);
        for (let more = true; more;) {
          ({ more } = await target.purge({ queue: request.queue, limit: 50, now: request.now }));
        }
        return answer;
      };
    },
  });
}

function fixtureOf(storage: StorageContract): Fixture {
  return { storage: purging(storage), close: () => storage.close() };
}

describe.skipIf(serverBinary() === undefined)("model", () => {
  let server: RedisServer;

  beforeAll(async () => {
    server = await startRedisServer();
  });
  afterAll(() => server.stop());

  modelSuite({
    runner: { describe, test },
    name: "redis",
    create: async () => fixtureOf(connect(server, newPrefix())),
    reference: async () => fixtureOf(memoryStorage() as unknown as StorageContract),
  });
});
