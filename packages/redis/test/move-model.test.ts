import { travelSuite } from "@taskq/conformance";
import { memoryStorage } from "@taskq/memory";
import { afterAll, beforeAll, describe, test } from "vitest";
import { serverBinary } from "./servers/binary.js";
import { startRedisServer, type RedisServer } from "./servers/redis-server.js";
import { connect, newPrefix } from "./support/store.js";

/** Few, since the model test of one that stays has many. */
const runs = Number(process.env["TASKQ_MODEL_RUNS"] ?? 6);

describe.skipIf(serverBinary() === undefined)("moves", () => {
  let server: RedisServer;

  beforeAll(async () => {
    server = await startRedisServer({ arguments: ["--appendonly", "yes"] });
  });
  afterAll(() => server.stop());

  const redis = () => connect(server, newPrefix());
  const runner = { describe, test };

  travelSuite({ runner, name: "redis", stores: [redis], reference: memoryStorage, runs });
  travelSuite({
    runner,
    name: "redis and memory",
    stores: [redis, memoryStorage],
    reference: memoryStorage,
    runs,
  });
});
