import { setTimeout as sleep } from "node:timers/promises";
import { createConsumer } from "@taskq/consumer";
import { createQueue, cron, periodic, task } from "@taskq/core";
import { describe, expect, test } from "vitest";
import { redisStorage } from "../src/index.js";
import { ask } from "./servers/ask.js";
import { serverBinary } from "./servers/binary.js";
import { serverOfTest } from "./support/callers.js";
import { afterTest } from "./support/closing.js";

const SECONDS = 8;

/** What a client sends; what scripts call is not counted. */
const SENT = ["evalsha", "eval", "publish", "config|get", "subscribe", "ping", "client|setname"];

async function sent(port: number): Promise<Record<string, number>> {
  const stats = await ask(port, [["INFO", "commandstats"]]);
  const found: Record<string, number> = {};
  for (const [, name = "", calls] of stats.matchAll(/^cmdstat_(\S+?):calls=(\d+)/gm))
    found[name] = Number(calls);
  return found;
}

describe.skipIf(serverBinary() === undefined)("idle", () => {
  test(
    "an idle consumer with a schedule sends less than five commands a second and writes nothing",
    { timeout: 40_000 },
    async () => {
      const server = await serverOfTest({ arguments: ["--appendonly", "yes"] });
      const work = task("work", async () => {});
      const beat = periodic("beat", cron("0 0 29 2 *"), async () => {});
      const queue = createQueue({ storage: redisStorage({ url: server.url }), tasks: { work, beat } });
      const consumer = createConsumer(queue);
      afterTest(async () => {
        await consumer.stop();
        await queue.close();
      });
      await consumer.start();
      await (await queue.enqueue(work.job())).wait();
      // Claims wait at the server for a while after the last job.
      await sleep(4_000);
      const offset = async (): Promise<string> =>
        /master_repl_offset:(\d+)|aof_current_size:(\d+)/.exec(
          await ask(server.port, [["INFO", "persistence"]]),
        )?.[0] ?? "";
      const [before, written] = [await sent(server.port), await offset()];
      await sleep(SECONDS * 1_000);
      const after = await sent(server.port);
      const total = SENT.reduce((sum, name) => sum + (after[name] ?? 0) - (before[name] ?? 0), 0);
      expect(total / SECONDS).toBeLessThan(5);
      expect(await offset()).toBe(written);
    },
  );
});
