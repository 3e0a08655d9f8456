import { storageSuite } from "@taskq/conformance";
import { afterAll, beforeAll, describe, test } from "vitest";
import { serverBinary } from "./servers/binary.js";
import { startRedisServer, type RedisServer } from "./servers/redis-server.js";
import { connect, newPrefix } from "./support/store.js";

describe.skipIf(serverBinary() === undefined)("conformance", () => {
  let server: RedisServer;

  beforeAll(async () => {
    server = await startRedisServer({ arguments: ["--appendonly", "yes"] });
  });
  afterAll(() => server.stop());

  storageSuite({
    runner: { describe, test },
    name: "redis",
    create: async () => {
      const prefix = newPrefix();
      const storage = connect(server, prefix);
      return { storage, second: async () => connect(server, prefix), close: () => storage.close() };
    },
  });
});
