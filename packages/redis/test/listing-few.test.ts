/** Jobs of a state that few are in, among many others: they are found where they stand, and not by a look at all. */
import { STORED_STATES, type NewJob, type StorageContract, type StoredState } from "@taskq/core/storage";
import { describe, expect, test } from "vitest";
import { serverBinary } from "./servers/binary.js";
import { ownServer } from "./support/own-server.js";
import { alone, chain, newJob, opened, QUEUE, step } from "./support/spread.js";
import { newPrefix } from "./support/store.js";

const MANY = 3_000;
const HOUR = 3_600_000;
const LOCK = [{ kind: "lock", key: "door", max: 1, per: undefined, onBusy: "wait" }] as const;
const KEPT = { completed: HOUR, failed: HOUR, completedMax: undefined, failedMax: undefined };

const many = (count: number) => Array.from({ length: count }, () => newJob({ task: "many" }));
const few = (more: Partial<NewJob> = {}) => Array.from({ length: 6 }, () => newJob({ task: "few", ...more }));

async function store(storage: StorageContract, jobs: readonly NewJob[]): Promise<void> {
  await storage.enqueue({ queue: QUEUE, flows: jobs.map(alone) });
}

/** Runs what is ready of these tasks, and ends half of the few otherwise than the rest. */
async function run(storage: StorageContract, count: number): Promise<void> {
  const tasks = ["few", "many"];
  for (let left = count; left > 0; left -= 500) {
    const claim = { begin: Math.min(left, 500), ahead: 0, lease: HOUR };
    const { claimed } = await step(storage, { tasks, claim });
    const settled = claimed.map(({ id, fence, task }, place) => ({
      id,
      fence,
      startedAt: Date.now(),
      add: undefined,
      outcome:
        task === "many" || place % 2 === 0
          ? ({ kind: "completed", result: undefined } as const)
          : ({ kind: "failed", error: new Uint8Array(3) } as const),
    }));
    await step(storage, { tasks, settled });
  }
}

const listed = async (
  storage: StorageContract,
  states: readonly StoredState[] | undefined,
  limit: number,
  task?: string,
) => {
  const records = [];
  for (let after: string | undefined; ;) {
    const page = await storage.list({ queue: QUEUE, states, task, limit, after });
    records.push(...page.records);
    if (page.after === undefined) return records;
    after = page.after;
  }
};

describe.skipIf(serverBinary() === undefined)("jobs of a state that few are in", () => {
  const own = ownServer();

  /** Some in every state, before, among and behind many that have completed. */
  async function filled() {
    const storage = await opened({ url: own.server.url, keyPrefix: newPrefix() });
    await store(storage, [...few(), ...many(MANY / 2)]);
    await store(storage, [...few({ keep: KEPT }), ...many(MANY / 2)]);
    await run(storage, MANY + 12);
    await storage.enqueue({
      queue: QUEUE,
      flows: few().map((first) => chain(first, newJob({ task: "few" }))),
    });
    await run(storage, 6);
    await run(storage, 3);
    const revoked = few();
    await store(storage, [
      ...few({ due: Date.now() + HOUR }),
      ...few({ task: "running", gates: LOCK }),
      ...few({ task: "running" }),
      ...few({ task: "unknown" }),
      ...revoked,
    ]);
    const ids = revoked.map(({ id }) => id);
    await storage.amend({ queue: QUEUE, ids, change: { kind: "revoke", scope: "later" } });
    await step(storage, { tasks: ["running"], claim: { begin: 20, ahead: 0, lease: HOUR } });
    await storage.keys({
      queue: QUEUE,
      kind: "acquire",
      name: "door",
      ticket: "me",
      owner: "me",
      max: 1,
      ttl: HOUR,
      wait: HOUR,
    });
    await store(storage, few());
    return storage;
  }

  async function scripts(): Promise<number> {
    return Number(/cmdstat_evalsha:calls=(\d+),/.exec(await own.redis.info("commandstats"))?.[1] ?? 0);
  }

  test("are those that a look at all of them finds, in the same order, however long pages are", async () => {
    const storage = await filled();
    const all = await listed(storage, undefined, 1_000);
    const met = new Set(all.map(({ state }) => state));
    const made: readonly StoredState[] = [
      "scheduled",
      "ready",
      "parked",
      "active",
      "completed",
      "failed",
      "cancelled",
      "skipped",
    ];
    expect(met).toEqual(new Set(made));
    const asked: (readonly StoredState[])[] = [
      ...STORED_STATES.map((state) => [state]),
      ["failed", "active", "parked"],
    ];
    for (const states of asked) {
      const expected = all.filter(({ state }) => states.includes(state));
      for (const limit of states[0] === "completed" ? [1_000] : [1, 4, 1_000])
        expect(await listed(storage, states, limit)).toEqual(expected);
      const ofTask = expected.filter(({ task }) => task === "running");
      expect(await listed(storage, states, 5, "running")).toEqual(ofTask);
    }
  });

  test("are found by one script", async () => {
    const storage = await filled();
    for (const state of [
      "scheduled",
      "ready",
      "parked",
      "active",
      "failed",
      "cancelled",
      "skipped",
    ] as const) {
      await own.redis.config("RESETSTAT");
      expect((await listed(storage, [state], 1_000)).length).toBeGreaterThan(2);
      expect([state, await scripts()]).toEqual([state, 1]);
    }
  });

  test("and share their place with more, or are more than a page, are found by one script a page", async () => {
    const storage = await filled();
    const more = many(MANY / 2);
    await store(storage, more);
    const ids = more.map(({ id }) => id);
    await storage.amend({ queue: QUEUE, ids, change: { kind: "revoke", scope: "later" } });
    const all = await listed(storage, undefined, 1_000);
    for (const [state, pages] of [
      ["failed", 1],
      ["skipped", 1],
      ["cancelled", 2],
    ] as const) {
      await own.redis.config("RESETSTAT");
      const found = await listed(storage, [state], 1_000);
      expect([state, await scripts()]).toEqual([state, pages]);
      expect(found).toEqual(all.filter((record) => record.state === state));
    }
  });

  test("are looked for among all where more stand beside them than come before a page is full", async () => {
    const storage = await filled();
    await own.redis.config("RESETSTAT");
    const { records } = await storage.list({ queue: QUEUE, states: ["completed"], limit: 20 });
    expect([records.length, await scripts()]).toEqual([20, 1]);
    const reads = /cmdstat_hget:calls=(\d+),/.exec(await own.redis.info("commandstats"))?.[1];
    expect(Number(reads)).toBeLessThan(500);
  });
});
