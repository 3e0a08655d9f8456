/** Statistics of many processes: read in parts, so that no script is long. */
import { STATS_MINUTE } from "@taskq/core/storage";
import { Redis } from "ioredis";
import { expect, onTestFinished, test } from "vitest";
import { keyBase } from "../src/names.js";
import { hasTestServer, startTestServer } from "./servers/test-server.js";
import { opened, QUEUE } from "./support/spread.js";

/** One busy minute between others: more of each than one part has. */
const PROCESSES = [900, 900, 900, 900, 900, 9_000, 900, 900];

test.skipIf(!hasTestServer)("the statistics of many processes are read in parts, and add up", async () => {
  const server = await startTestServer();
  onTestFinished(() => server.stop());
  const redis = new Redis(server.url);
  onTestFinished(() => redis.disconnect());
  const storage = await opened({ url: server.url, keyPrefix: server.keyPrefix });
  const base = keyBase(server.keyPrefix, QUEUE, 0);
  const first = Math.floor(Date.now() / STATS_MINUTE) * STATS_MINUTE - 20 * STATS_MINUTE;
  const histogram = { max: 1, counts: [1, 1] };
  for (const [place, processes] of PROCESSES.entries()) {
    const minute = first + place * STATS_MINUTE;
    const row = {
      task: "work",
      minute,
      completed: 1,
      failed: 0,
      retried: 0,
      wait: histogram,
      run: histogram,
    };
    const fields = Array.from({ length: processes }, (_, n) => `${minute}:process ${n}:work`);
    await redis.hset(`${base}stats`, ...fields.flatMap((field) => [field, JSON.stringify(row)]));
    await redis.zadd(`${base}minutes`, ...fields.flatMap((field) => [minute, field]));
  }
  await redis.config("RESETSTAT");
  const { rows } = await storage.stats({ queue: QUEUE, since: 0 });
  expect(rows.map(({ minute, completed }) => [(minute - first) / STATS_MINUTE, completed])).toEqual([
    ...PROCESSES.entries(),
  ]);
  const calls = /^cmdstat_evalsha:calls=(\d+)/m.exec(await redis.info("commandstats"))?.[1];
  expect(Number(calls)).toBeGreaterThan(3);
});
