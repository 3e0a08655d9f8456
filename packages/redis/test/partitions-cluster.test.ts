/** Queues in several partitions on a Cluster of three masters; the whole kit with `TASKQ_REDIS_KIT=1`. */
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { ask } from "./servers/ask.js";
import { serverBinary } from "./servers/binary.js";
import { clusterOfTests, suiteOnCluster } from "./support/cluster-of-tests.js";
import { alone, chain, newJob, opened, QUEUE, Worker } from "./support/spread.js";
import { noted, partitionsOfTest, WAIVERS } from "./support/partitions.js";

describe.skipIf(serverBinary() === undefined)("partitions on a Cluster", () => {
  const servers = clusterOfTests();

  // Declared only when it is asked for: it takes as long as on one partition, which runs in any case.
  if (process.env["TASKQ_REDIS_KIT"] === "1") {
    suiteOnCluster(servers, {
      runner: { describe, test: noted(test) },
      name: "redis, three partitions on a Cluster",
      options: () => ({ partitions: partitionsOfTest() }),
      waivers: WAIVERS,
    });
  }

  test("plain jobs lie on every master, and nothing asks across slots", { timeout: 60_000 }, async () => {
    const { client, cluster } = servers;
    const options = { client, keyPrefix: "spread", partitions: 12 };
    const storages = await Promise.all([opened(options), opened(options)]);
    const [storage] = storages;
    const lock = { kind: "lock", key: "door", max: 1, per: undefined, onBusy: "wait" } as const;
    const flows = [
      ...Array.from({ length: 120 }, () => alone(newJob())),
      ...Array.from({ length: 5 }, () => chain(newJob(), newJob())),
      ...Array.from({ length: 5 }, () => alone(newJob({ gates: [lock] }))),
    ];
    await storage.enqueue({ queue: QUEUE, flows });
    const held = await Promise.all(
      cluster.masters.map(async ({ port }) =>
        (await ask(port, [["KEYS", "spread:*:ready"]])).match(/ready/g),
      ),
    );
    for (const keys of held) expect(keys?.length ?? 0).toBeGreaterThan(0);
    await storage.events({ queue: QUEUE, from: "now", limit: 1 });
    const phase = { drained: false };
    const workers = storages.map((one, place) => new Worker(one, `worker ${place}`));
    const work = Promise.all(workers.map((worker) => worker.run(() => phase.drained)));
    const isDone = async (): Promise<boolean> =>
      (await storage.counts({ queue: QUEUE }))["*"]?.completed === 135;
    while (!(await isDone())) await sleep(20);
    phase.drained = true;
    await work;
    const ids = flows.flatMap(({ jobs }) => jobs.map(({ id }) => id));
    expect(workers.flatMap(({ done }) => done).toSorted()).toEqual(ids.toSorted());
    const { events } = await storage.events({ queue: QUEUE, from: "start", limit: 1_000 });
    expect(events.map(({ id }) => id).toSorted()).toEqual(ids.toSorted());
    const times = events.map(({ time }) => time);
    expect(times).toEqual(times.toSorted((left, right) => left - right));
    const listed = await storage.list({ queue: QUEUE, limit: 1_000 });
    expect(listed.records).toHaveLength(135);
  });
});
