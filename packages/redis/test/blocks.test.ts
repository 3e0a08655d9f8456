/** Jobs that are stored together stand in line together, which nobody can tell. */
import {
  createIdMaker,
  type ClaimedJob,
  type NewJob,
  type Settlement,
  type StorageContract,
} from "@taskq/core/storage";
import { memoryStorage } from "@taskq/memory";
import { describe, expect, test } from "vitest";
import { redisStorage } from "../src/index.js";
import { BLOCK, TOGETHER } from "../src/lua/block.js";
import { keyBase } from "../src/names.js";
import { serverBinary } from "./servers/binary.js";
import { afterTest } from "./support/closing.js";
import { ownServer } from "./support/own-server.js";
import { scan } from "./support/scan.js";
import { seededBelow } from "./support/seeded.js";
import { alone, newJob, QUEUE, step } from "./support/spread.js";
import { connect, newPrefix } from "./support/store.js";

const START = 1_800_000_000_000;
const LEASE = 30_000;
const LOCK = [{ kind: "lock", key: "door", max: 2, per: undefined, onBusy: "wait" }] as const;

const store = (storage: StorageContract, jobs: readonly NewJob[], now = START) =>
  storage.enqueue({ queue: QUEUE, flows: jobs.map(alone), now });

const plain = (count: number, more: Partial<NewJob> = {}) =>
  Array.from({ length: count }, () => newJob({ due: START, ...more }));

const claim = (storage: StorageContract, begin: number, ahead = 0, now = START) =>
  step(storage, { now, claim: { begin, ahead, lease: LEASE } });

async function opened(storage: StorageContract): Promise<StorageContract> {
  afterTest(() => storage.close());
  const retention = { completed: { for: 60_000, max: 1e6 }, failed: { for: 60_000, max: 1e6 } };
  await storage.open({ queue: QUEUE, retention, now: START });
  return storage;
}

describe.skipIf(serverBinary() === undefined)("blocks of ready jobs", () => {
  const own = ownServer();

  const sizes = async (prefix: string) => {
    const key = (name: string) => `${prefix}:{${QUEUE}}:${name}`;
    return [await own.redis.zcard(key("ready")), await own.redis.zcard(key("blocks"))];
  };

  test("whole blocks are taken as they are, and a part of one opens it; who wants few opens four", async () => {
    const prefix = newPrefix();
    const storage = await opened(connect(own.server, prefix));
    const jobs = plain(5 * BLOCK + 10);
    await store(storage, jobs);
    const blocks = (5 * BLOCK) / TOGETHER;
    expect(await sizes(prefix)).toEqual([10, blocks]);
    const all: string[] = [];
    for (const [count, left] of [
      [2 * TOGETHER, [10, blocks - 2]],
      [2 * TOGETHER + 1, [10 + TOGETHER - 1, blocks - 5]],
      [2 * TOGETHER, [10 + TOGETHER - 1, blocks - 7]],
      [3 * TOGETHER - 1, [10, blocks - 9]],
      [1, [10 + 4 * TOGETHER - 1, blocks - 13]],
      [TOGETHER, [10 + 3 * TOGETHER - 1, blocks - 13]],
      [1_000, [0, 0]],
    ] as const) {
      const { claimed } = await claim(storage, count);
      all.push(...claimed.map(({ id }) => id));
      expect(await sizes(prefix)).toEqual(left);
      await scan(own.server.url, prefix, QUEUE);
    }
    expect(all).toEqual(jobs.map(({ id }) => id));
  });

  test("a step tells that there is more behind the blocks that it took", async () => {
    const storage = await opened(connect(own.server, newPrefix()));
    await store(storage, plain(BLOCK));
    expect(await claim(storage, BLOCK - TOGETHER)).toMatchObject({ more: true });
    expect(await claim(storage, TOGETHER)).toMatchObject({ more: false });
    expect(await claim(storage, TOGETHER)).toMatchObject({ more: false, claimed: [] });
    await store(storage, plain(BLOCK));
    expect(await claim(storage, BLOCK)).toMatchObject({ more: false });
  });

  test("those of a block that find a lock taken are parked, and the others of it are claimed", async () => {
    const prefix = newPrefix();
    const storage = await opened(connect(own.server, prefix));
    const jobs = plain(2 * BLOCK).map((job, place) => (place % 10 === 3 ? { ...job, gates: LOCK } : job));
    await store(storage, jobs);
    expect(await sizes(prefix)).toEqual([0, (2 * BLOCK) / TOGETHER]);
    const expected = jobs.filter((job, place) => job.gates === undefined || place < 20).map(({ id }) => id);
    const { claimed } = await claim(storage, BLOCK);
    expect(claimed.map(({ id }) => id)).toEqual(expected.slice(0, BLOCK));
    await scan(own.server.url, prefix, QUEUE);
    const others = await claim(storage, 2 * BLOCK);
    expect(others.claimed.map(({ id }) => id)).toEqual(expected.slice(BLOCK));
    expect(await sizes(prefix)).toEqual([0, 0]);
    const { "*": all } = await storage.counts({ queue: QUEUE, now: START });
    expect(all).toMatchObject({ parked: jobs.length - expected.length, active: expected.length });
    await scan(own.server.url, prefix, QUEUE);
  });

  test("jobs whose keys the listing has lost stand in line again after a reap", async () => {
    const prefix = newPrefix();
    const storage = await opened(connect(own.server, prefix));
    const jobs = plain(2 * BLOCK);
    await store(storage, jobs);
    await own.redis.del(`${prefix}:{${QUEUE}}:listing`);
    const done = new Set<string>();
    for (let turn = 0; turn < 20 && done.size < jobs.length; turn += 1) {
      for (const { id } of (await claim(storage, 50)).claimed) done.add(id);
      await storage.reap({ queue: QUEUE, limit: 10, now: START });
    }
    expect([...done].toSorted()).toEqual(jobs.map(({ id }) => id).toSorted());
  });

  test.each(["ready", "blocks", "scheduled"])(
    "what is no entry of ours among those of %s keeps no partition waiting",
    async (name) => {
      const prefix = newPrefix();
      const storage = await opened(
        redisStorage({ url: own.server.url, keyPrefix: prefix, partitions: 3 }) as unknown as StorageContract,
      );
      const jobs = plain(9 * BLOCK);
      await store(storage, jobs);
      const keys = [0, 1, 2].map((number) => keyBase(prefix, QUEUE, number) + name);
      for (const key of keys) await own.redis.zadd(key, -9, "x", 1, "123456");
      const done = new Set<string>();
      for (let turn = 0; turn < 40 && done.size < jobs.length; turn += 1) {
        for (const { id } of (await claim(storage, 50)).claimed) done.add(id);
      }
      expect([...done].toSorted()).toEqual(jobs.map(({ id }) => id).toSorted());
      const { "*": all } = await storage.counts({ queue: QUEUE, now: START });
      expect(all).toMatchObject({ ready: 0, scheduled: 0, active: jobs.length });
    },
  );

  test("what is no block of ours keeps nobody waiting", async () => {
    const prefix = newPrefix();
    const storage = await opened(connect(own.server, prefix));
    const jobs = plain(BLOCK);
    await store(storage, jobs);
    await own.redis.zadd(
      `${prefix}:{${QUEUE}}:blocks`,
      -9,
      "x",
      -8,
      "a member that is far too long",
      7,
      "123456789012",
    );
    const { claimed } = await claim(storage, BLOCK);
    expect(claimed.map(({ id }) => id)).toEqual(jobs.map(({ id }) => id));
    expect(await claim(storage, 5)).toMatchObject({ claimed: [] });
    expect(await sizes(prefix)).toEqual([0, 0]);
  });

  test.each([1, 2, 3, 4, 5, 6])("nobody can tell them from others: seed %i", async (seed) => {
    const prefix = newPrefix();
    const both = [
      await opened(connect(own.server, prefix)),
      await opened(memoryStorage() as unknown as StorageContract),
    ];
    const below = seededBelow(seed);
    const makeId = createIdMaker();
    const ids: string[] = [];
    // Of each storage: fences differ.
    let runs: readonly (readonly ClaimedJob[])[] = both.map(() => []);
    let now = START;
    let request = 0;
    const pick = () => ids[below(Math.max(1, ids.length))] ?? "none";

    const alike = async <Answer>(call: (storage: StorageContract) => Promise<Answer>): Promise<Answer> => {
      const [first, second] = await Promise.all(both.map(call));
      expect(first).toEqual(second);
      return first as Answer;
    };

    const storeSome = async (): Promise<void> => {
      const priority = [0, 0, 0, 5][below(4)] ?? 0;
      const due = now + [0, 0, 0, 50][below(4)]!;
      const size = [1, 5, BLOCK, BLOCK + 20, 3 * BLOCK][below(5)] ?? 1;
      const jobs = Array.from({ length: size }, () =>
        newJob({ id: makeId(now), named: false, priority, due }),
      );
      const some =
        below(4) === 0 ? jobs.map((job, place) => (place % 40 === 7 ? { ...job, gates: LOCK } : job)) : jobs;
      ids.push(...some.map(({ id }) => id));
      await alike((storage) => store(storage, some, now));
    };

    const settlement = ({ id, fence }: ClaimedJob): Settlement => ({
      id,
      fence,
      startedAt: now,
      outcome: { kind: "completed", result: undefined },
      add: undefined,
    });

    const settleSome = async (): Promise<void> => {
      const ended = below((runs[0]?.length ?? 0) + 1);
      const begin = [0, 1, 3, 10, BLOCK, 100][below(6)] ?? 0;
      const ahead = [0, 0, 5, BLOCK][below(4)] ?? 0;
      const asked = {
        queue: QUEUE,
        owner: "owner",
        tasks: ["work"],
        begun: [],
        now,
        request: (request += 1),
      };
      const claimed = await Promise.all(
        both.map(async (storage, place) => {
          const settled = runs[place]?.slice(0, ended).map(settlement) ?? [];
          const answer = await storage.step({ ...asked, settled, claim: { begin, ahead, lease: LEASE } });
          return answer.claimed;
        }),
      );
      const [first, second] = claimed.map((jobs) => jobs.map(({ id }) => id));
      expect(first).toEqual(second);
      runs = runs.map((mine, place) => [...mine.slice(ended), ...(claimed[place] ?? [])]);
    };

    for (let turn = 0; turn < 60; turn += 1) {
      now += below(40);
      const what = below(8);
      if (what < 2) await storeSome();
      else if (what < 5) await settleSome();
      else if (what === 5) {
        const change = { kind: "revoke", scope: "later" } as const;
        const some = [pick(), pick(), pick()];
        await Promise.all(both.map((storage) => storage.amend({ queue: QUEUE, ids: some, change, now })));
      } else if (what === 6) {
        const some = [pick(), pick()];
        await alike(async (storage) => {
          const facts = await storage.explain({ queue: QUEUE, ids: some, now, tasks: undefined });
          return facts.filter(({ state }) => state === "ready");
        });
      } else {
        const some = [pick(), pick()];
        await alike(async (storage) =>
          (await storage.read({ queue: QUEUE, ids: some, now })).map((job) => job?.state),
        );
        await alike(async (storage) => {
          const states = ["ready"] as const;
          const page = await storage.list({
            queue: QUEUE,
            states,
            task: undefined,
            limit: 200,
            after: undefined,
          });
          return page.records.map(({ id }) => id);
        });
      }
      await alike(async (storage) => (await storage.counts({ queue: QUEUE, now }))["*"]);
      await alike((storage) =>
        storage
          .stats({ queue: QUEUE, since: 0, byTask: true, now })
          .then(({ oldestDue, oldestDueByTask }) => [oldestDue, oldestDueByTask]),
      );
    }
    await scan(own.server.url, prefix, QUEUE);
  });
});
