/** Queues in several partitions on a Cluster of three masters; the whole kit with `TASKQ_REDIS_KIT=1`. */
import { storageSuite } from "@taskq/conformance";
import type { StorageContract } from "@taskq/core/storage";
import { Cluster } from "ioredis";
import { afterAll, beforeAll, describe, test } from "vitest";
import { redisStorage } from "../src/create-storage.js";
import { serverBinary } from "./servers/binary.js";
import { startCluster, type TestCluster } from "./servers/cluster.js";
import { noted, partitionsOfTest, WAIVERS } from "./support/partitions.js";

describe.skipIf(serverBinary() === undefined)("partitions on a Cluster", () => {
  let cluster: TestCluster;
  let client: Cluster;
  let made = 0;

  beforeAll(async () => {
    cluster = await startCluster({ arguments: ["--appendonly", "yes"] });
    // only a pattern: it never connects
    client = new Cluster(cluster.startupNodes, { lazyConnect: true });
  }, 60_000);
  afterAll(async () => {
    client.disconnect();
    await cluster.stop();
  });

  describe.runIf(process.env["TASKQ_REDIS_KIT"] === "1")("conformance", () => {
    storageSuite({
      runner: { describe, test: noted(test) },
      name: "redis, three partitions on a Cluster",
      create: async () => {
        made += 1;
        const keyPrefix = `t${made}`;
        const partitions = partitionsOfTest();
        const connect = (): StorageContract =>
          redisStorage({ client, keyPrefix, strict: true, partitions }) as unknown as StorageContract;
        const storage = connect();
        return { storage, second: async () => connect(), close: () => storage.close() };
      },
      waivers: WAIVERS,
    });
  });
});
