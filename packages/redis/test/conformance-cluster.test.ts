import { storageSuite } from "@taskq/conformance";
import type { StorageContract } from "@taskq/core/storage";
import { Cluster } from "ioredis";
import { afterAll, beforeAll, describe, test } from "vitest";
import { redisStorage } from "../src/create-storage.js";
import { serverBinary } from "./servers/binary.js";
import { startCluster, type TestCluster } from "./servers/cluster.js";

describe.skipIf(serverBinary() === undefined)("conformance on a Cluster", () => {
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

  storageSuite({
    runner: { describe, test },
    name: "redis, on a Cluster",
    create: async () => {
      made += 1;
      const connect = (): StorageContract =>
        redisStorage({ client, keyPrefix: `t${made}`, strict: true }) as unknown as StorageContract;
      const storage = connect();
      return { storage, second: async () => connect(), close: () => storage.close() };
    },
  });
});
