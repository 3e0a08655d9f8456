/** The model beside a queue in several partitions: what `decisions/redis-partitions.md` says not to hold there is not compared. */
import { modelSuite, type Fixture } from "@taskq/conformance";
import type { StorageContract } from "@taskq/core/storage";
import { memoryStorage } from "@taskq/memory";
import { afterAll, beforeAll, describe, test } from "vitest";
import { redisStorage } from "../src/index.js";
import { settingsOf } from "../src/options.js";
import { PartitionedStorage } from "../src/partitions/partitioned-storage.js";
import { serverBinary } from "./servers/binary.js";
import { startRedisServer, type RedisServer } from "./servers/redis-server.js";
import { scan } from "./support/scan.js";
import { newPrefix } from "./support/store.js";

/** As the model test calls it. */
const QUEUE = "model";
const PARTITIONS = 3;
/** A few seconds; more of them with the environment's `TASKQ_MODEL_RUNS`. */
const RUNS = 40;

type Connect = (options: Parameters<typeof redisStorage>[0]) => unknown;

async function reference(): Promise<Fixture> {
  const storage = memoryStorage() as unknown as StorageContract;
  return { storage, close: () => storage.close() };
}

describe.skipIf(serverBinary() === undefined)("model of partitions", () => {
  let server: RedisServer;

  beforeAll(async () => {
    server = await startRedisServer({ arguments: ["--appendonly", "yes"] });
  });
  afterAll(() => server.stop());

  /** With a look at all keys once a sequence has ended. */
  function scanned(connect: Connect): Fixture {
    const keyPrefix = newPrefix();
    const { url } = server;
    const storage = connect({ url, keyPrefix, partitions: PARTITIONS }) as StorageContract;
    return {
      storage,
      close: async () => {
        // Whatever was left to later calls is done.
        await storage.counts({ queue: QUEUE });
        await storage.close();
        for (let number = 0; number < PARTITIONS; number += 1) await scan(url, keyPrefix, QUEUE, number);
      },
    };
  }

  const about = { runner: { describe, test }, reference, isSpread: true };
  const runs = Number(process.env["TASKQ_MODEL_RUNS"] ?? RUNS);

  modelSuite({
    ...about,
    name: "redis, three partitions,",
    create: async () => scanned(redisStorage),
    runs,
  });

  modelSuite({
    ...about,
    name: "redis, three partitions that leave all but one consequence of a call to later ones,",
    create: async () => scanned((options) => new PartitionedStorage(settingsOf(options), 1)),
    runs: Math.ceil(runs / 2),
  });
});
