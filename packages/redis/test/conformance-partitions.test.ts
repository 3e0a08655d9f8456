import { storageSuite } from "@taskq/conformance";
import type { StorageContract } from "@taskq/core/storage";
import { afterAll, beforeAll, describe, test } from "vitest";
import { redisStorage } from "../src/create-storage.js";
import { hasTestServer, startTestServer, type TestServer } from "./servers/test-server.js";
import { noted, partitionsOfTest, WAIVERS } from "./support/partitions.js";

// on a guest's server too
describe.skipIf(!hasTestServer)("conformance of three partitions", () => {
  let server: TestServer;
  let made = 0;

  beforeAll(async () => {
    server = await startTestServer(["--appendonly", "yes"]);
  });
  afterAll(() => server.stop());

  storageSuite({
    runner: { describe, test: noted(test) },
    name: "redis, three partitions",
    create: async () => {
      made += 1;
      const keyPrefix = `${server.keyPrefix}:${made}`;
      const { url } = server;
      const partitions = partitionsOfTest();
      const connect = (): StorageContract =>
        redisStorage({ url, keyPrefix, partitions }) as unknown as StorageContract;
      const storage = connect();
      return { storage, second: async () => connect(), close: () => storage.close() };
    },
    waivers: WAIVERS,
  });
});
