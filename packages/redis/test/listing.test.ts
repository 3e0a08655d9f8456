/** Jobs that are stored together, in the order of enqueue: they share entries of the listing. */
import { plainJob } from "@taskq/conformance";
import {
  createIdMaker,
  STORED_STATES,
  type NewJob,
  type StorageContract,
  type StoredState,
} from "@taskq/core/storage";
import { describe, expect, test } from "vitest";
import { BLOCK } from "../src/lua/block.js";
import { serverBinary } from "./servers/binary.js";
import { afterTest } from "./support/closing.js";
import { scan } from "./support/scan.js";
import { ownServer } from "./support/own-server.js";
import { alone } from "./support/spread.js";
import { connect, newPrefix } from "./support/store.js";

const QUEUE = "main";
const RETENTION = { completed: { for: 60_000, max: 1e6 }, failed: { for: 60_000, max: 1e6 } };
const makeId = createIdMaker();

/** Of one enqueue each, in this order: alone, in blocks and in parts of them, and some with names in between. */
const SIZES = [1, 2, BLOCK - 1, BLOCK, 3, BLOCK + 1, 1, 3 * BLOCK + 20, BLOCK, 5];

async function store(storage: StorageContract, jobs: readonly NewJob[], now?: number): Promise<void> {
  const flows = jobs.map(alone);
  await storage.enqueue({ queue: QUEUE, flows, now });
}

async function listed(storage: StorageContract, limit: number): Promise<readonly string[]> {
  const ids: string[] = [];
  for (let after: string | undefined; ;) {
    const page = await storage.list({ queue: QUEUE, states: undefined, task: undefined, limit, after });
    ids.push(...page.records.map(({ id }) => id));
    if (page.after === undefined) return ids;
    after = page.after;
  }
}

describe.skipIf(serverBinary() === undefined)("the listing", () => {
  const own = ownServer();
  let request = 0;

  interface Filled {
    readonly prefix: string;
    readonly storage: StorageContract;
    readonly ids: readonly string[];
  }

  async function filled(): Promise<Filled> {
    const prefix = newPrefix();
    const storage = connect(own.server, prefix);
    afterTest(() => storage.close());
    await storage.open({ queue: QUEUE, retention: RETENTION });
    const ids: string[] = [];
    for (const [place, size] of SIZES.entries()) {
      const jobs = Array.from({ length: size }, () => plainJob(makeId(Date.now())));
      if (place % 4 === 2) jobs.push(plainJob(`named ${place}`, { named: true }));
      await store(storage, jobs);
      ids.push(...jobs.map(({ id }) => id));
    }
    return { prefix, storage, ids };
  }

  /** Completes the first that are ready. */
  async function complete(storage: StorageContract, count: number, now?: number): Promise<readonly string[]> {
    request += 1;
    const asked = { queue: QUEUE, owner: "owner", tasks: ["work"], begun: [], now };
    const claim = { begin: count, ahead: 0, lease: 30_000 };
    const { claimed } = await storage.step({ ...asked, request, settled: [], claim });
    request += 1;
    const settled = claimed.map((job) => ({
      id: job.id,
      fence: job.fence,
      startedAt: Date.now(),
      outcome: { kind: "completed", result: undefined } as const,
      add: undefined,
      claimed: job,
    }));
    await storage.step({ ...asked, request, settled, claim: undefined });
    return claimed.map(({ id }) => id);
  }

  async function entries(prefix: string): Promise<readonly number[]> {
    const base = `${prefix}:{${QUEUE}}:`;
    return [await own.redis.xlen(`${base}listing`), await own.redis.hlen(`${base}listed`)];
  }

  test("jobs are listed in the order of enqueue, whatever was stored together and however long pages are", async () => {
    const { prefix, storage, ids } = await filled();
    await scan(own.server.url, prefix, QUEUE);
    for (const limit of [1, 7, BLOCK, 1_000]) expect(await listed(storage, limit)).toEqual(ids);
  });

  test("many that are stored together take an entry for each block", async () => {
    const prefix = newPrefix();
    const storage = connect(own.server, prefix);
    afterTest(() => storage.close());
    await storage.open({ queue: QUEUE, retention: RETENTION });
    await store(
      storage,
      Array.from({ length: 1_000 }, () => plainJob(makeId(Date.now()))),
    );
    expect(await entries(prefix)).toEqual([16, 16]);
  });

  test("what is purged leaves the listing, the rest stays, and nothing is left of it in the end", async () => {
    const { prefix, storage, ids } = await filled();
    let left: readonly string[] = ids;
    let now = Date.now();
    // Ways that differ: a step purges by itself, a purge is asked for, and both meet blocks that are partly gone.
    for (const count of [5, BLOCK, 100, 17, 1, 1_000]) {
      const done = await complete(storage, count, now);
      left = left.filter((id) => !done.includes(id));
      now += RETENTION.completed.for + 1;
      if (count % 2 === 1) while ((await storage.purge({ queue: QUEUE, limit: 30, now })).more);
      else for (let times = 0; times < 3; times += 1) await complete(storage, 0, (now += 1_001));
      await scan(own.server.url, prefix, QUEUE);
      expect(await listed(storage, 50)).toEqual(left);
    }
    expect(left).toEqual([]);
    expect(await entries(prefix)).toEqual([0, 0]);
  });

  test("a job that was purged, and is stored anew under its id, is listed once, where it is now", async () => {
    const prefix = newPrefix();
    const storage = connect(own.server, prefix);
    afterTest(() => storage.close());
    await storage.open({ queue: QUEUE, retention: RETENTION });
    const jobs = Array.from({ length: BLOCK }, () => plainJob(makeId(Date.now())));
    await store(storage, jobs);
    const now = Date.now();
    const [first = ""] = await complete(storage, 1, now);
    await storage.purge({ queue: QUEUE, limit: 10, now: now + RETENTION.completed.for + 1 });
    await store(
      storage,
      jobs.filter(({ id }) => id === first),
    );
    const others = jobs.map(({ id }) => id).filter((id) => id !== first);
    expect(await listed(storage, 10)).toEqual([...others, first]);
    await scan(own.server.url, prefix, QUEUE);
  });

  test("jobs are listed by state, and those of a state that none is in without a look at the others", async () => {
    const { storage } = await filled();
    const now = Date.now();
    await complete(storage, 300, now);
    const nothing = { queue: QUEUE, owner: "owner", tasks: ["work"], settled: [], begun: [], now };
    await storage.step({ ...nothing, request: 1_000, claim: { begin: 7, ahead: 0, lease: 30_000 } });
    const later = [
      plainJob(makeId(now), { due: now + 60_000 }),
      plainJob(makeId(now), { task: "unheard of" }),
    ];
    await store(storage, later, now);
    const all = async (states?: readonly StoredState[]) =>
      (await storage.list({ queue: QUEUE, states, task: undefined, limit: 1_000, after: undefined })).records;
    const some = (await all(["ready"])).slice(3, 5).map(({ id }) => id);
    await storage.amend({ queue: QUEUE, ids: some, change: { kind: "revoke", scope: "later" }, now });
    const records = await all();
    const met = new Set(records.map(({ state }) => state));
    expect(met).toEqual(new Set(["completed", "active", "ready", "cancelled", "scheduled"]));
    for (const state of STORED_STATES) {
      expect(await all([state])).toEqual(records.filter((record) => record.state === state));
    }
    expect(await all(["failed", "active"])).toHaveLength(7);

    await store(
      storage,
      Array.from({ length: 3_000 }, () => plainJob(makeId(now))),
      now,
    );
    await own.redis.config("RESETSTAT");
    expect(await all(["failed", "expired", "parked"])).toEqual([]);
    expect(await own.redis.info("commandstats")).toMatch(/cmdstat_evalsha:calls=1,/);
  });

  test("a flush takes all, a part of a block at a time", async () => {
    const { prefix, storage, ids } = await filled();
    let removed = 0;
    for (let more = true; more;) {
      const answer = await storage.purge({ queue: QUEUE, limit: 50, everything: true });
      expect(answer.removed).toBeLessThanOrEqual(50);
      removed += answer.removed;
      more = answer.more;
    }
    expect(removed).toBe(ids.length);
    expect(await entries(prefix)).toEqual([0, 0]);
    await scan(own.server.url, prefix, QUEUE);
  });
});
