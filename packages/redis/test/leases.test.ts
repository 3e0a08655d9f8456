import { setTimeout as sleep } from "node:timers/promises";
import { createConsumer } from "@taskq/consumer";
import { createQueue, task } from "@taskq/core";
import { describe, expect, test } from "vitest";
import { redisStorage } from "../src/index.js";
import { serverBinary } from "./servers/binary.js";
import { serverOfTest } from "./support/callers.js";
import { afterTest } from "./support/closing.js";

describe.skipIf(serverBinary() === undefined)("leases", () => {
  test.each(["freezes", "is killed"])(
    "leases that ran out while the server %s are renewed, and not taken by others",
    { timeout: 60_000 },
    async (how) => {
      const server = await serverOfTest({ arguments: ["--appendonly", "yes"] });
      const runs: string[] = [];
      const work = task("work", { retries: 0 }, async (id: string) => {
        runs.push(id);
        await sleep(7_000);
        return id;
      });
      const lost: string[] = [];
      const start = async () => {
        const queue = createQueue({
          storage: redisStorage({ url: server.url, timeout: "1s" }),
          tasks: { work },
        });
        queue.on("lease-lost", ({ id }) => void lost.push(id));
        const consumer = createConsumer(queue, { lease: "3s" });
        await consumer.start();
        afterTest(async () => {
          await consumer.stop({ grace: 0 });
          await queue.close();
        });
        return queue;
      };
      const [queue] = await Promise.all([start(), start(), start()]);
      const ids = Array.from({ length: 8 }, (_, n) => `job-${n}`);
      const results = await Promise.all(ids.map((id) => queue.enqueue(work.job(id), { id })));
      await expect.poll(() => runs.length).toBe(ids.length);
      if (how === "freezes") server.pause();
      else await server.kill();
      await sleep(4_500);
      if (how === "freezes") server.resume();
      else await server.restart();
      const values = await Promise.all(results.map((result) => result.wait({ timeout: "30s" })));
      expect(values).toEqual(ids);
      expect(runs.toSorted()).toEqual(ids);
      expect(lost).toEqual([]);
    },
  );
});
