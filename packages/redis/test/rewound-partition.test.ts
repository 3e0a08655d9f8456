/** Moves of a queue in several partitions of which one goes back to what it was earlier, as on one master of a Cluster. */
import { drain } from "@taskq/consumer";
import { createQueue, moveQueue, task } from "@taskq/core";
import type { QueuePhase, StorageContract } from "@taskq/core/storage";
import { memoryStorage } from "@taskq/memory";
import { describe, expect, test } from "vitest";
import { redisStorage } from "../src/index.js";
import { serverBinary } from "./servers/binary.js";
import { afterTest } from "./support/closing.js";
import { ownServer } from "./support/own-server.js";
import { Copy, toldOfMoves } from "./support/rewinding.js";
import { newPrefix } from "./support/store.js";

const work = task("work", async (n: number) => n);
const JOBS = 12;
/** Calls of a move at one end. */
const CALLS = 5;
const MOVED = ["left", "open", JOBS + 20];

describe.skipIf(serverBinary() === undefined)("a move, while one partition goes back", () => {
  const own = ownServer();

  async function endsOf(role: "source" | "target", partition: number) {
    const keyPrefix = newPrefix();
    const copy = new Copy(own.redis, keyPrefix, partition);
    const calls: { before?: (call: number) => Promise<void> } = {};
    const redis = toldOfMoves(redisStorage({ url: own.server.url, keyPrefix, partitions: 3 }), async (call) =>
      calls.before?.(call),
    );
    const [source, target] = role === "source" ? [redis, memoryStorage()] : [memoryStorage(), redis];
    const [from, to] = [source, target].map((storage) => {
      const queue = createQueue({ storage, tasks: { work } });
      afterTest(() => queue.close());
      return queue;
    });
    if (from === undefined || to === undefined) throw new Error("two are made");
    await from.enqueueMany(Array.from({ length: JOBS }, (_, n) => work.job(n)));
    await to.counts();
    const phases = (): Promise<QueuePhase[]> =>
      Promise.all(
        [source, target].map((storage) =>
          (storage as unknown as StorageContract).phase({ queue: "default" }),
        ),
      );
    /** Where the two stand, and how many end at the target, jobs for all partitions among them. */
    const standing = async (): Promise<readonly unknown[]> => {
      await to.enqueueMany(Array.from({ length: 20 }, (_, n) => work.job(n)));
      await drain(to);
      return [...(await phases()), (await to.counts()).completed];
    };
    return { from, to, copy, calls, standing };
  }

  const ends = (["source", "target"] as const).flatMap((role) => [0, 1].map((part) => [role, part] as const));

  test.each(ends)(
    "the %s, partition %s: the same call, or the next one, goes on",
    async (role, partition) => {
      for (let back = 2; back <= CALLS; back += 1) {
        for (let saved = 1; saved < back; saved += 1) {
          const { from, to, copy, calls, standing } = await endsOf(role, partition);
          let isOver = false;
          calls.before = async (call) => {
            if (call === saved) await copy.save();
            if (call !== back || isOver) return;
            isOver = true;
            await copy.goBack();
          };
          await moveQueue(from, to).catch(async ({ code }) => {
            // It cannot be told from a source that somebody has opened again.
            if (role === "target" || code !== "TASKQ_MOVED")
              throw new Error(`saved ${saved} back ${back}: ${code}`);
            await moveQueue(from, to);
          });
          expect([saved, back, ...(await standing())]).toEqual([saved, back, ...MOVED]);
        }
      }
    },
  );

  test("a partition of the target that goes back to where it arrived is opened by the same call again", async () => {
    for (let saved = 2; saved <= CALLS; saved += 1) {
      const { from, to, copy, calls, standing } = await endsOf("target", 1);
      calls.before = async (call) => {
        if (call === saved) await copy.save();
      };
      await moveQueue(from, to);
      await copy.goBack();
      await moveQueue(from, to);
      expect([saved, ...(await standing())]).toEqual([saved, ...MOVED]);
    }
  });
});
