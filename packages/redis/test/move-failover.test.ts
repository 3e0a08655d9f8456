/** Moves during which Sentinels make a replica the master. */
import { createQueue, moveQueue, task } from "@taskq/core";
import type { StorageContract } from "@taskq/core/storage";
import { memoryStorage } from "@taskq/memory";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { redisStorage } from "../src/index.js";
import { serverBinary } from "./servers/binary.js";
import { startSentinelGroup, type SentinelGroup } from "./servers/sentinel.js";
import { afterTest } from "./support/closing.js";
import { toldOfMoves } from "./support/rewinding.js";
import { newPrefix } from "./support/store.js";

const work = task("work", async (n: number) => n);
const JOBS = 450;

describe.skipIf(serverBinary() === undefined)("a move over a fail-over", () => {
  let group: SentinelGroup;

  beforeAll(async () => {
    group = await startSentinelGroup(["--appendonly", "yes"]);
  }, 60_000);
  afterAll(() => group.stop());

  test.each([
    ["target", "page"],
    ["target", "open"],
    ["source", "finish"],
  ])("the %s: the master is killed before %s, and nothing is lost", { timeout: 60_000 }, async (role, at) => {
    await group.settled();
    const { sentinels, name } = group;
    const connection = { sentinels: [...sentinels], name };
    const settings = { connection, minReplicas: 1, timeout: 30_000, keyPrefix: newPrefix() };
    let isOver = false;
    const redis = toldOfMoves(redisStorage(settings), async (_, kind) => {
      if (kind !== at || isOver) return;
      isOver = true;
      await group.crash();
    });
    const storages = role === "source" ? [redis, memoryStorage()] : [memoryStorage(), redis];
    const [from, to] = storages.map((storage) => {
      const queue = createQueue({ storage, tasks: { work } });
      afterTest(() => queue.close());
      return queue;
    });
    if (from === undefined || to === undefined) throw new Error("two are made");
    await from.enqueueMany(Array.from({ length: JOBS }, (_, n) => work.job(n)));
    await moveQueue(from, to);
    const phases = storages.map((storage) =>
      (storage as unknown as StorageContract).phase({ queue: "default" }),
    );
    expect(await Promise.all(phases)).toEqual(["left", "open"]);
    expect([isOver, (await to.counts()).ready]).toEqual([true, JOBS]);
  });
});
