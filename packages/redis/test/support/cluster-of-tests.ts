/** A Cluster of three masters, for the tests of one `describe`. */
import { storageSuite } from "@taskq/conformance";
import type { StorageContract } from "@taskq/core/storage";
import { Cluster } from "ioredis";
import { afterAll, beforeAll, describe, test } from "vitest";
import { redisStorage, type RedisOptions } from "../../src/index.js";
import { startCluster, type TestCluster } from "../servers/cluster.js";

export interface ClusterOfTests {
  /** While a test runs. */
  readonly cluster: TestCluster;
  /** Only a pattern: it never connects. */
  readonly client: Cluster;
}

/** Started before the tests, and gone after them. */
export function clusterOfTests(): ClusterOfTests {
  let cluster: TestCluster | undefined;
  let client: Cluster | undefined;
  beforeAll(async () => {
    cluster = await startCluster({ arguments: ["--appendonly", "yes"] });
    client = new Cluster(cluster.startupNodes, { lazyConnect: true });
  }, 60_000);
  afterAll(async () => {
    client?.disconnect();
    await cluster?.stop();
  });
  return {
    get cluster() {
      return started(cluster);
    },
    get client() {
      return started(client);
    },
  };
}

function started<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new Error("the Cluster has not started");
  return value;
}

type Suite = Parameters<typeof storageSuite>[0];

/** The whole kit, each test with keys of its own. */
export function suiteOnCluster(
  servers: ClusterOfTests,
  {
    options,
    ...suite
  }: Pick<Suite, "name" | "waivers"> & {
    readonly runner?: Suite["runner"];
    readonly options?: () => Pick<RedisOptions, "partitions">;
  },
): void {
  let made = 0;
  storageSuite({
    runner: { describe, test },
    ...suite,
    create: async () => {
      made += 1;
      const own = { client: servers.client, keyPrefix: `t${made}`, strict: true, ...options?.() };
      const connect = (): StorageContract => redisStorage(own) as unknown as StorageContract;
      const storage = connect();
      return { storage, second: async () => connect(), close: () => storage.close() };
    },
  });
}
