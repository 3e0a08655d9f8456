/** Results that a server takes only one by one, or not at all. */
import { createConsumer } from "@taskq/consumer";
import { createQueue, jsonSerializer, task } from "@taskq/core";
import { describe, expect, test } from "vitest";
import { redisStorage } from "../src/index.js";
import { serverBinary } from "./servers/binary.js";
import { serverOfTest } from "./support/callers.js";
import { afterTest } from "./support/closing.js";
import { newPrefix } from "./support/store.js";

const KIB = 1_024;

describe.skipIf(serverBinary() === undefined)("a server that takes no text above 1 MiB", () => {
  test.each([
    ["too large by themselves end failed, and the others completed", 2_000, 1],
    ["too large together are kept", 400, 0],
  ])("results %s", async (_what, size, failed) => {
    const { url } = await serverOfTest({ arguments: ["--proto-max-bulk-len", "1mb"] });
    const storage = redisStorage({ url, keyPrefix: newPrefix() });
    const make = task("make", async (kib: number) => "x".repeat(kib * KIB));
    const serializer = jsonSerializer({ maxSize: 10_000 * KIB });
    const queue = createQueue({ storage, tasks: { make }, serializer });
    afterTest(() => queue.close());
    const sizes = [400, 1, size, 400, 400];
    const results = await queue.enqueueMany(sizes.map((kib) => make.job(kib)));
    const consumer = createConsumer(queue, { workers: 5 });
    afterTest(() => consumer.stop({ grace: 0 }));
    await consumer.start();
    await expect
      .poll(() => queue.counts(), { timeout: 25_000, interval: 50 })
      .toMatchObject({ completed: 5 - failed, failed, active: 0 });
    const outcome = await results[2]?.peek();
    const end = failed === 0 ? {} : { error: { code: "TASKQ_STORAGE" } };
    expect(outcome).toMatchObject({ state: failed === 0 ? "completed" : "failed", ...end });
  });
});
