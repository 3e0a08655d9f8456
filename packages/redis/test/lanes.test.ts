/** Steps of one consumer that are under way at the same time, and whose answers get lost. */
import { faultyStorage } from "@taskq/conformance";
import { createConsumer } from "@taskq/consumer";
import { createQueue, fixed, task } from "@taskq/core";
import { describe, expect, test } from "vitest";
import { redisStorage } from "../src/index.js";
import { serverBinary } from "./servers/binary.js";
import { serverOfTest } from "./support/callers.js";
import { afterTest } from "./support/closing.js";
import { newPrefix } from "./support/store.js";

const JOBS = 6_000;

describe.skipIf(serverBinary() === undefined)("steps in lanes", () => {
  test.each([
    ["every job once", 0],
    ["every job once, and those that fail once more", 9],
  ])(
    "a consumer whose answers are lost or late runs %s, without waiting for a lease",
    async (_what, failing) => {
      const { url } = await serverOfTest();
      const storage = faultyStorage(redisStorage({ url, keyPrefix: newPrefix() }), {
        methods: ["step"],
        lost: 0.15,
        refused: 0.05,
        delayed: 0.3,
        delay: 10,
      });
      const ran = new Map<string, number[]>();
      let told: (() => void) | undefined;
      const done = new Promise<void>((resolve) => (told = resolve));
      let [failed, completed] = [0, 0];
      const options = { retries: 1, backoff: fixed("5ms") };
      const work = task("work", options, async (_: void, { id, attempt }) => {
        ran.set(id, [...(ran.get(id) ?? []), attempt]);
        if (failing > 0 && attempt === 1 && ran.size % failing === 0) {
          failed += 1;
          throw new Error("once more");
        }
        completed += 1;
        if (completed === JOBS) told?.();
      });
      let [underWay, most] = [0, 0];
      const step = storage.step.bind(storage);
      const watched = new Proxy(storage, {
        get(target, property) {
          if (property !== "step") return Reflect.get(target, property, target) as unknown;
          return async (request: Parameters<typeof step>[0]) => {
            underWay += 1;
            most = Math.max(most, underWay);
            try {
              return await step(request);
            } finally {
              underWay -= 1;
            }
          };
        },
      });
      const queue = createQueue({ storage: watched, tasks: { work } });
      afterTest(() => queue.close());
      await queue.enqueueMany(Array.from({ length: JOBS }, () => work.job()));
      const consumer = createConsumer(queue, { workers: 10, prefetch: 90, lease: "60s" });
      await consumer.start();
      await done;
      await consumer.stop();
      expect(most).toBe(2);
      expect(storage.faults.met.filter(({ kind }) => kind === "lost").length).toBeGreaterThan(5);
      const runs = [...ran.values()].map((attempts) => attempts.join());
      expect(new Set(runs)).toEqual(new Set(failing > 0 ? ["1", "1,2"] : ["1"]));
      expect(runs.filter((attempts) => attempts === "1,2")).toHaveLength(failed);
      expect(await queue.counts()).toMatchObject({ completed: JOBS, active: 0, ready: 0 });
    },
  );
});
