import { modelSuite, storageSuite, type Fixture } from "@taskq/conformance";
import type { StorageContract } from "@taskq/core/storage";
import { memoryStorage } from "@taskq/memory";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { ask } from "./servers/ask.js";
import { serverBinary } from "./servers/binary.js";
import { startRedisServer, type RedisServer } from "./servers/redis-server.js";
import { scan } from "./support/scan.js";
import { alone, newJob, opened, QUEUE as MAIN } from "./support/spread.js";
import { connect, connectLate, newPrefix } from "./support/store.js";

// So that the few jobs that tests store together fill blocks.
vi.mock("../src/lua/block.js", () => ({ BLOCK: 4, TOGETHER: 2 }));

const QUEUE = "model";

async function reference(): Promise<Fixture> {
  const storage = memoryStorage() as unknown as StorageContract;
  return { storage, close: () => storage.close() };
}

describe.skipIf(serverBinary() === undefined)("small blocks", () => {
  let server: RedisServer;
  let made = 0;

  beforeAll(async () => {
    server = await startRedisServer({ arguments: ["--appendonly", "yes"] });
  });
  afterAll(() => server.stop());

  function scanned(connected: typeof connect): Fixture {
    const prefix = newPrefix();
    const storage = connected(server, prefix);
    return {
      storage,
      close: async () => {
        await storage.counts({ queue: QUEUE });
        await storage.close();
        await scan(server.url, prefix, QUEUE);
      },
    };
  }

  test("two jobs fill one", async () => {
    const keyPrefix = newPrefix();
    const storage = await opened({ url: server.url, keyPrefix });
    const due = Date.now();
    const flows = Array.from({ length: 5 }, () => alone(newJob({ due })));
    await storage.enqueue({ queue: MAIN, flows });
    expect(await ask(server.port, [["ZCARD", `${keyPrefix}:{${MAIN}}:blocks`]])).toBe("2");
  });

  modelSuite({
    runner: { describe, test },
    name: "redis, blocks of two,",
    create: async () => scanned(connect),
    reference,
    runs: 50,
  });

  modelSuite({
    runner: { describe, test },
    name: "redis, blocks of two, all but one consequence of a call left to later ones,",
    create: async () => scanned(connectLate),
    reference,
    runs: 25,
  });

  // Declared only when it is asked for, as on a Cluster.
  if (process.env["TASKQ_REDIS_KIT"] === "1") {
    storageSuite({
      runner: { describe, test },
      name: "redis, blocks of two",
      create: async () => {
        made += 1;
        const prefix = `small:${made}`;
        const storage = connect(server, prefix);
        return { storage, second: async () => connect(server, prefix), close: () => storage.close() };
      },
    });
  }
});
