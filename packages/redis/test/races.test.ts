import { raceSuite } from "@taskq/conformance";
import { afterAll, beforeAll, describe, test } from "vitest";
import { serverBinary } from "./servers/binary.js";
import { startRedisServer, type RedisServer } from "./servers/redis-server.js";
import { newPrefix } from "./support/store.js";

describe.skipIf(serverBinary() === undefined)("races", () => {
  let server: RedisServer;

  beforeAll(async () => {
    server = await startRedisServer({ arguments: ["--appendonly", "yes"] });
  });
  afterAll(() => server.stop());

  raceSuite({
    runner: { describe, test },
    name: "redis",
    open: new URL("./open-race.js", import.meta.url).href,
    prepare: async () => ({
      environment: { TASKQ_RACE_URL: server.url, TASKQ_RACE_PREFIX: newPrefix() },
      remove: async () => {},
    }),
  });
});
