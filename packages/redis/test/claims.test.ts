/** Rows that stay as they are while they are claimed and when their runs end, until somebody else looks at them. */
import type { ClaimedJob, NewJob, Settlement, StepRequest, StorageContract } from "@taskq/core/storage";
import { beforeEach, describe, expect, test } from "vitest";
import { serverBinary } from "./servers/binary.js";
import { afterTest } from "./support/closing.js";
import { ownServer } from "./support/own-server.js";
import { scan } from "./support/scan.js";
import { alone, newJob, QUEUE, step } from "./support/spread.js";
import { connect, newPrefix } from "./support/store.js";

const LEASE = 30_000;
const START = 1_800_000_000_000;

function completed({ id, fence }: ClaimedJob, result = new Uint8Array(20)): Settlement {
  const outcome = { kind: "completed", result } as const;
  return { id, fence, startedAt: START, outcome, add: undefined };
}

describe.skipIf(serverBinary() === undefined)("claims that leave rows as they are", () => {
  const own = ownServer();
  let prefix: string;
  let storage: StorageContract;
  let jobs: readonly NewJob[];
  let claimed: readonly ClaimedJob[];

  /** Five jobs, claimed at once, of which three begin. */
  beforeEach(async () => {
    prefix = newPrefix();
    storage = connect(own.server, prefix);
    const retention = { completed: { for: 60_000, max: 1e6 }, failed: { for: 60_000, max: 1e6 } };
    await storage.open({ queue: QUEUE, retention, now: START });
    jobs = Array.from({ length: 5 }, () => newJob({ due: START }));
    await storage.enqueue({ queue: QUEUE, flows: jobs.map(alone), now: START });
    ({ claimed } = await stepNow({ claim: { begin: 3, ahead: 2, lease: LEASE } }));
    afterTest(() => storage.close());
  });

  const stepNow = (more: Partial<StepRequest>) => step(storage, { now: START, ...more });

  /** How many are left of claims, runs that stand for themselves, and ends beside their rows. */
  async function standing(): Promise<readonly number[]> {
    await scan(own.server.url, prefix, QUEUE);
    const key = (name: string) => `${prefix}:{${QUEUE}}:${name}`;
    const entries = await own.redis.zrange(key("active"), "0", "-1");
    const { active = 0 } = (await storage.counts({ queue: QUEUE }))["*"] ?? {};
    const standAlone = entries.filter((entry) => !entry.startsWith("#")).length;
    return [active - standAlone, standAlone, await own.redis.hlen(key("ended"))];
  }

  const rows = () => own.redis.hgetallBuffer(`${prefix}:{${QUEUE}}:rows`);
  const run = (place: number) => ({ id: claimed[place]!.id, fence: claimed[place]!.fence });
  const record = async (place: number) =>
    (await storage.read({ queue: QUEUE, ids: [claimed[place]!.id], now: START }))[0];

  test("one record stands for five runs, and what completed stands beside rows that nobody wrote anew", async () => {
    const before = await rows();
    expect(await standing()).toEqual([5, 0, 0]);
    expect(await record(0)).toMatchObject({ state: "active", attempt: 1, owner: "owner", startedAt: START });
    expect(await record(4)).toMatchObject({ state: "active", attempt: 1, startedAt: undefined });
    await stepNow({ begun: [run(3)] });
    await stepNow({ settled: [0, 1, 2, 3].map((place) => completed(claimed[place]!)) });
    expect(await standing()).toEqual([1, 0, 4]);
    expect(await rows()).toEqual(before);
    expect(await record(3)).toMatchObject({
      state: "completed",
      attempt: 1,
      fence: claimed[3]!.fence,
      bytes: new Uint8Array(20),
    });
    // One alone takes less as a row that is written anew.
    await stepNow({ settled: [completed(claimed[4]!)] });
    expect(await standing()).toEqual([0, 0, 4]);
    expect(await record(4)).toMatchObject({ state: "completed", attempt: 1, bytes: new Uint8Array(20) });
    while ((await storage.purge({ queue: QUEUE, limit: 100, now: START + 100_000 })).more);
    expect(await standing()).toEqual([0, 0, 0]);
    expect(await rows()).toEqual({});
  });

  test.each<readonly [string, () => Promise<unknown>]>([
    [
      "is noted of",
      () => storage.note({ queue: QUEUE, run: run(1), kind: "log", bytes: new Uint8Array(3), now: START }),
    ],
    [
      "is renewed",
      () => storage.renew({ queue: QUEUE, owner: "owner", runs: [run(1)], lease: LEASE, now: START }),
    ],
    [
      "is revoked",
      () =>
        storage.amend({
          queue: QUEUE,
          ids: [run(1).id],
          change: { kind: "revoke", scope: "later" },
          now: START,
        }),
    ],
    [
      "is waited for by another job",
      () =>
        storage.enqueue({
          queue: QUEUE,
          flows: [alone(newJob({ after: [{ source: run(1).id, on: "settled" }] }))],
          now: START,
        }),
    ],
  ])("a run that %s stands for itself from then on, and is settled as ever", async (_, touch) => {
    await touch();
    expect(await standing()).toEqual([4, 1, 0]);
    const settled = claimed.map((job) => completed(job));
    const answer = await stepNow({ settled });
    expect(answer.settled).toEqual(settled.map(() => "applied"));
    expect((await stepNow({ settled })).settled).toEqual(settled.map(() => "repeated"));
    const [active, standAlone] = await standing();
    expect([active, standAlone]).toEqual([0, 0]);
  });

  test("those that fail or come again leave the others of their step as they are", async () => {
    const more = Array.from({ length: 30 }, () => newJob({ due: START }));
    await storage.enqueue({ queue: QUEUE, flows: more.map(alone), now: START });
    const next = await stepNow({ claim: { begin: 30, ahead: 0, lease: LEASE } });
    const error = new Uint8Array(9);
    const settled = next.claimed.map((job, place): Settlement => {
      if (place === 3)
        return { ...completed(job), outcome: { kind: "retry", due: START, error, counts: true } };
      return place === 7 ? { ...completed(job), outcome: { kind: "failed", error } } : completed(job);
    });
    const claim = { begin: 5, ahead: 0, lease: LEASE };
    const answer = await stepNow({ settled, claim });
    // What was put back is claimed with the same step.
    expect(answer.settled).toEqual(settled.map(() => "applied"));
    expect(answer.claimed).toMatchObject([{ id: settled[3]!.id, attempt: 2, failures: 1 }]);
    expect((await standing())[2]).toBe(28);
    const again = await stepNow({ settled, claim });
    expect(again.settled).toEqual(settled.map(() => "repeated"));
    expect(again.claimed).toEqual([]);
  });

  test("a job that waits for one that completed makes of this a row like all others", async () => {
    await stepNow({ settled: claimed.map((job) => completed(job)) });
    const follower = newJob({ after: [{ source: run(1).id, on: "completed" }], due: START });
    await storage.enqueue({ queue: QUEUE, flows: [alone(follower)], now: START });
    expect(await standing()).toEqual([0, 0, 4]);
    const next = await stepNow({ claim: { begin: 1, ahead: 0, lease: LEASE } });
    expect(next.claimed).toMatchObject([
      { id: follower.id, sources: [{ id: run(1).id, bytes: new Uint8Array(20) }] },
    ]);
  });

  test("claims whose leases are over are taken with all their runs, more than one look takes", async () => {
    await storage.enqueue({
      queue: QUEUE,
      flows: Array.from({ length: 2_500 }, () => alone(newJob({ due: START }))),
      now: START,
    });
    for (let turn = 0; turn < 5; turn += 1)
      await stepNow({ claim: { begin: 250, ahead: 250, lease: LEASE } });
    expect(await standing()).toEqual([2_505, 0, 0]);
    const taken = new Map<string, boolean>();
    for (let turn = 0; turn < 30 && taken.size < 2_505; turn += 1) {
      const now = START + LEASE + 1 + turn * LEASE;
      for (const one of (await storage.reap({ queue: QUEUE, limit: 1_000, now })).reaped)
        taken.set(one.id, one.begun);
    }
    expect(taken.size).toBe(2_505);
    expect([...taken.values()].filter((begun) => begun).length).toBe(3 + 5 * 250);
    expect((await standing()).slice(0, 2)).toEqual([0, 0]);
  });
});
