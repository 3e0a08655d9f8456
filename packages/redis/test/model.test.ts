import { modelSuite, type Fixture } from "@taskq/conformance";
import type { StorageContract } from "@taskq/core/storage";
import { memoryStorage } from "@taskq/memory";
import { afterAll, beforeAll, describe, test } from "vitest";
import { serverBinary } from "./servers/binary.js";
import { startRedisServer, type RedisServer } from "./servers/redis-server.js";
import { scan } from "./support/scan.js";
import { connect, connectLate, newPrefix } from "./support/store.js";

/** As the model test calls it. */
const QUEUE = "model";

function fixtureOf(storage: StorageContract, look: () => Promise<void> = async () => {}): Fixture {
  return {
    storage,
    close: async () => {
      // Whatever was left to later calls is done.
      await storage.counts({ queue: QUEUE });
      await storage.close();
      await look();
    },
  };
}

async function reference(): Promise<Fixture> {
  return fixtureOf(memoryStorage() as unknown as StorageContract);
}

describe.skipIf(serverBinary() === undefined)("model", () => {
  let server: RedisServer;

  beforeAll(async () => {
    server = await startRedisServer({ arguments: ["--appendonly", "yes"] });
  });
  afterAll(() => server.stop());

  /** With a look at all keys once a sequence has ended. */
  function scanned(connected: typeof connect): Fixture {
    const prefix = newPrefix();
    return fixtureOf(connected(server, prefix), () => scan(server.url, prefix, QUEUE));
  }

  modelSuite({
    runner: { describe, test },
    name: "redis",
    create: async () => scanned(connect),
    reference,
  });

  modelSuite({
    runner: { describe, test },
    name: "redis, all but one consequence of a call left to later ones,",
    create: async () => scanned(connectLate),
    reference,
    runs: 150,
  });
});
