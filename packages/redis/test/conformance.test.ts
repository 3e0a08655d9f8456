import { storageSuite } from "@taskq/conformance";
import { afterAll, beforeAll, describe, test } from "vitest";
import { Caller } from "../src/connection/caller.js";
import { optionsOfUrl } from "../src/connection/url.js";
import { RedisStorage } from "../src/redis-storage.js";
import { serverBinary } from "./servers/binary.js";
import { startRedisServer, type RedisServer } from "./servers/redis-server.js";

describe.skipIf(serverBinary() === undefined)("conformance", () => {
  let server: RedisServer;
  let stores = 0;

  beforeAll(async () => {
    server = await startRedisServer();
  });
  afterAll(() => server.stop());

  function connect(prefix: string): RedisStorage {
    const source = { kind: "options", options: optionsOfUrl(server.url) } as const;
    const caller = new Caller({ source, timeout: 5_000 });
    return new RedisStorage({ caller, prefix, copies: 0, description: "redis", listen: () => () => {} });
  }

  storageSuite({
    runner: { describe, test },
    name: "redis",
    create: async () => {
      stores += 1;
      const prefix = `kit${stores}`;
      const storage = connect(prefix);
      return { storage, second: async () => connect(prefix), close: () => storage.close() };
    },
  });
});
