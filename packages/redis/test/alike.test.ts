/** What the short way of a step makes of rows that are like one another, and of those among them that are not. */
import { plainJob } from "@taskq/conformance";
import { memoryStorage } from "@taskq/memory";
import type {
  ClaimedJob,
  EventsAnswer,
  NewFlow,
  NewJob,
  SettledOutcome,
  Settlement,
  StepAnswer,
  StorageContract,
} from "@taskq/core/storage";
import { createIdMaker } from "@taskq/core/storage";
import { Redis } from "ioredis";
import { expect, test } from "vitest";
import { hasTestServer, startTestServer } from "./servers/test-server.js";
import { afterTest } from "./support/closing.js";
import { seededBelow, type Below } from "./support/seeded.js";
import { connect } from "./support/store.js";

const QUEUE = "main";
const OWNER = "an owner of a name that is longer than thirty-one bytes";
const TASKS = ["work", "a-task-of-a-name-that-is-longer-than-thirty-one-bytes", "w"];
const RETENTION = { completed: { for: 60_000, max: 1e6 }, failed: { for: 60_000, max: 1e6 } };
/** How long jobs have been due, in milliseconds. */
const LATE = [0, 0, 0, 0, 3, 40, 200, 70_000, 5_000_000];
const PLAYS = Number(process.env["TASKQ_ALIKE_PLAYS"] ?? 12);
const START = 1_800_000_000_000;
/** And how long after the start they become due. */
const SOON = [0, 0, 1, 3, 7.5, 130, 131, 700, 9_000, 70_000];

/** Mostly the same; now and then another task, a due of long ago, a long body, an end of its time, a priority. */
function jobs(count: number, random: Below, dues: readonly number[] = LATE.map((late) => -late)): NewJob[] {
  const makeId = createIdMaker();
  return Array.from({ length: count }, (_, n) =>
    plainJob(makeId(START + n), {
      task: TASKS[random(8)] ?? "work",
      body: new Uint8Array(random(10) === 0 ? 700 : random(90)).fill(120),
      priority: random(6) === 0 ? random(5) - 2 : 0,
      due: START + (dues[random(dues.length)] ?? 0),
      expiresAt: random(9) === 0 ? START + 1_000_000 : undefined,
      delivery: random(9) === 0 ? "at-most-once" : "at-least-once",
    }),
  );
}

/** What else a job may have: each one's own, so that nobody waits for it. */
const AROUND: readonly ((n: number) => Partial<NewJob>)[] = [
  (n) => ({ unique: { key: `key-${n}`, until: "final", onConflict: "ignore" } }),
  (n) => ({ unique: { key: `key-${n}`, until: "started", onConflict: "ignore" } }),
  (n) => ({ unique: { key: `key-${n}`, until: START + 5_000, onConflict: "ignore" } }),
  () => ({ keep: { completed: 5_000, failed: undefined } }),
  (n) => ({ gates: [{ kind: "lock", key: `lock-${n}`, max: 1, per: undefined, onBusy: "wait" }] }),
  () => ({ gates: [{ kind: "limit", key: "limit", max: 1_000, per: 60_000, onBusy: "wait" }] }),
];

/** Until when a key that others have too is held; one of these instants is never reached. */
const UNTIL = ["final", "final", "final", "started", START + 20_000, START + 1e10] as const;

type Gates = NonNullable<NewJob["gates"]>;
const [LOCK, PAIR, LIMIT] = [
  { kind: "lock", max: 1, per: undefined },
  { kind: "concurrency", max: 2, per: undefined },
  { kind: "limit", max: 3, per: 4_000 },
] as const;

/** Few of each kind, so that most jobs meet others there. */
const SHARED: readonly ((n: number) => Gates)[] = [
  (n) => [{ ...LOCK, key: `l${n % 7}`, onBusy: "wait" }],
  (n) => [{ ...PAIR, key: `p${n % 3}`, onBusy: "wait" }],
  (n) => [{ ...PAIR, key: `p${n % 3}`, max: 1 + 2 * (n % 2), onBusy: "wait" }],
  (n) => [{ ...LIMIT, key: `m${n % 4}`, onBusy: "wait" }],
  (n) => [{ ...LIMIT, key: `s${n % 3}`, max: 1, per: 300, onBusy: "wait" }],
  (n) => [
    { ...LIMIT, key: `m${n % 2}`, onBusy: "wait" },
    { ...LOCK, key: `l${n % 5}`, onBusy: "wait" },
  ],
  (n) => [
    { ...LOCK, key: `l${n % 11}`, onBusy: "wait" },
    { ...LOCK, key: `l${n % 3}`, onBusy: "wait" },
  ],
  (n) => [{ ...LOCK, key: `l${n % 7}`, onBusy: (["skip", "drop", "fail"] as const)[n % 3]! }],
  (n) => [{ ...LOCK, key: `own-${n}`, onBusy: "wait" }],
];

/** Each job as a flow of its own; one in so many has something around it, is followed by another one, or is in a group with it. */
function flowsOf(all: readonly NewJob[], { seed, around = 0, gated = 0, keyed = 0 }: Played): NewFlow[] {
  const random = seededBelow(seed + 1);
  const makeId = createIdMaker();
  return all.map((plain, n): NewFlow => {
    const gates = gated > 0 && random(gated) === 0 ? SHARED[random(SHARED.length)]?.(random(60)) : undefined;
    const unique: NewJob["unique"] =
      keyed > 0 && random(keyed) === 0
        ? {
            key: `k${random(12)}`,
            until: UNTIL[random(UNTIL.length)]!,
            onConflict: random(3) === 0 ? "replace" : "ignore",
          }
        : undefined;
    const job = gates === undefined && unique === undefined ? plain : { ...plain, gates, unique };
    const kind = around > 0 && random(around) === 0 ? random(AROUND.length + 2) : -1;
    if (kind < 0) return { end: job.id, jobs: [job], joins: [] };
    const own = AROUND[kind]?.(n);
    if (own !== undefined) return { end: job.id, jobs: [{ ...job, ...own }], joins: [] };
    const other = plainJob(makeId(START + n), { due: START });
    if (kind === AROUND.length) {
      const follower = { ...other, after: [{ source: job.id, on: "completed" as const }] };
      return { end: other.id, jobs: [job, follower], joins: [] };
    }
    const id = makeId(START + n);
    const join = { id, named: false, mode: "all" as const, members: [job.id, other.id] };
    return { end: id, jobs: [job, other], joins: [join] };
  });
}

const LENGTHS = [0, 1, 5, 31, 32, 255, 300, 513, undefined];

function outcome(random: Below, now: number, { unreadable, odd }: Played): SettledOutcome {
  if (random(odd?.one ?? 60) === 0) return (odd?.of ?? AGAIN)[random(odd?.of.length ?? 1)]!(now);
  const length = LENGTHS[random(LENGTHS.length)];
  if (unreadable > 0 && random(unreadable) === 0)
    return {
      kind: "quarantined",
      error: new Uint8Array(random(40) === 0 ? 17_000 : (length ?? 16)).fill(122),
    };
  return { kind: "completed", result: length === undefined ? undefined : new Uint8Array(length).fill(121) };
}

const ERROR = new Uint8Array(9);
const AGAIN: readonly ((now: number) => SettledOutcome)[] = [
  (now) => ({ kind: "retry", due: now, error: ERROR, counts: true }),
];
const OTHERWISE: readonly ((now: number) => SettledOutcome)[] = [
  ...AGAIN,
  (now) => ({ kind: "retry", due: now + 100, error: ERROR, counts: true }),
  () => ({ kind: "failed", error: ERROR }),
  () => ({ kind: "released" }),
  () => ({ kind: "cancelled", reason: "no" }),
];

interface Played {
  readonly seed: number;
  /** One in so many is quarantined; 0: none. */
  readonly unreadable: number;
  readonly isFollowed: boolean;
  /** When jobs become due, in milliseconds after the start. @default long ago */
  readonly dues?: readonly number[];
  /** One in so many ends otherwise, as one of these. @default one in sixty is to run again */
  readonly odd?: { readonly one: number; readonly of: typeof OTHERWISE };
  /** The most that is claimed ahead at once. @default 15 */
  readonly ahead?: number;
  /** Fewer than so many begin at once. @default 3 */
  readonly begin?: number;
  /** One job in so many has something around it. @default none */
  readonly around?: number;
  /** One job in so many has gates that others have too. @default none */
  readonly gated?: number;
  /**
   * One job in so many has a unique key that others have too, and is not stored while it is taken, or replaces who has it; then
   * jobs are stored in three parts, between steps. @default none
   */
  readonly keyed?: number;
  /** One step in so many is sent again, as whoever got no answer does. @default none */
  readonly repeated?: number;
  /** Whether steps go by turns by two connections, neither of which knows what the other one has claimed. */
  readonly isShared?: boolean;
}

/** With fences counted from the first that was given: each storage begins where it likes. */
function countedFrom(first: number, value: unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => countedFrom(first, item));
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return value;
  const entries = Object.entries(value).map(([name, own]: [string, unknown]) => [
    name,
    name === "fence" && typeof own === "number" && own > 0 ? own - first + 1 : countedFrom(first, own),
  ]);
  return Object.fromEntries(entries);
}

/** Gates that open at the same instant do so in any order: what is told of each job, one job after the other. */
function inOrder({ claimed, effects }: StepAnswer): Pick<StepAnswer, "claimed" | "effects"> {
  return { claimed, effects: effects.toSorted((a, b) => (a.id < b.id ? -1 : Number(a.id > b.id))) };
}

/** What one step settles is told of in any order. */
function byInstant(events: EventsAnswer["events"]): EventsAnswer["events"] {
  const key = ({ time, id }: (typeof events)[number]): string => `${String(time)} ${id}`;
  return events.toSorted((a, b) => (key(a) < key(b) ? -1 : Number(key(a) > key(b))));
}

/** Stores, claims and settles what the seed says; all that was claimed and told, and what is left of every job. */
async function played(
  [storage, other = storage]: readonly [StorageContract, (StorageContract | undefined)?],
  flows: readonly NewFlow[],
  how: Played,
): Promise<unknown> {
  const { seed, isFollowed, begin = 3, ahead = 15, repeated = 0 } = how;
  const random = seededBelow(seed);
  for (const each of new Set([storage, other])) {
    await each.open({ queue: QUEUE, retention: RETENTION, now: START });
  }
  const follow = (from: string, now: number) => storage.events({ queue: QUEUE, from, limit: 1_000, now });
  const cursor = isFollowed ? (await follow("now", START)).cursor : undefined;
  const ids = flows.flatMap((flow) => flow.jobs.map(({ id }) => id));
  const parts = how.keyed === undefined ? 1 : 3;
  const part = Math.ceil(flows.length / parts);
  const stored: unknown[] = [];
  const store = async (n: number, at: number): Promise<void> => {
    const some = flows.slice(n * part, (n + 1) * part);
    if (some.length > 0) stored.push(await storage.enqueue({ queue: QUEUE, flows: some, now: at }));
  };
  await store(0, START);
  const told: StepAnswer[] = [];
  const looks: unknown[] = [];
  let settled: Settlement[] = [];
  let held: ClaimedJob[] = [];
  let now = START;
  for (let request = 1; request < 200; request += 1) {
    now += [0, 1, 7, 130, 300, 9_000][random(6)]!;
    if (request % 6 === 0) await store(request / 6, now);
    const claim = { begin: random(begin), ahead: random(ahead + 1), lease: 30_000_000 };
    const begun = held
      .filter(({ begun: has }) => !has && random(3) === 0)
      .map(({ id, fence }) => ({ id, fence }));
    const asked = { queue: QUEUE, owner: OWNER, request, tasks: TASKS, settled, begun, claim, now };
    const answer: StepAnswer = await (request % 2 === 0 ? other : storage).step(asked);
    told.push({ ...answer, ...inOrder(answer), count: undefined, passedOver: undefined });
    if (repeated > 0 && random(repeated) === 0) {
      const { settled: settledAgain, claimed } = await storage.step(asked);
      told.push({
        ...answer,
        ...inOrder(answer),
        settled: settledAgain,
        claimed,
        count: undefined,
        passedOver: undefined,
      });
    }
    // Few at once are read a short way too, in whatever state they are.
    const looked = [...answer.claimed, ...held].slice(0, 6).map(({ id }) => id);
    looks.push(await storage.read({ queue: QUEUE, ids: looked, now }));
    held = [...held, ...answer.claimed];
    const ending = held.filter(() => random(2) === 0);
    held = held.filter((job) => !ending.includes(job));
    const startedAt = now - [0, 0, 2, 1_000][random(4)]!;
    settled = ending.map(({ id, fence }) => ({
      id,
      fence,
      startedAt,
      outcome: outcome(random, now, how),
      add: undefined,
    }));
    if (
      answer.claimed.length + held.length + settled.length === 0 &&
      answer.nextDue === undefined &&
      request > 6 * parts
    )
      break;
  }
  const [first = 1] = told.flatMap(({ claimed }) => claimed.map(({ fence }) => fence));
  const events = cursor === undefined ? [] : (await follow(cursor, now)).events;
  return countedFrom(first, {
    stored,
    told,
    looks,
    read: await storage.read({ queue: QUEUE, ids, whole: true, now }),
    each: await Promise.all(ids.map((id) => storage.read({ queue: QUEUE, ids: [id], now }))),
    counts: await storage.counts({ queue: QUEUE }),
    holders: await holdersOf(storage, flows, now),
    events: (how.gated === undefined ? events : byInstant(events)).map((event) => ({
      ...event,
      cursor: undefined,
    })),
  });
}

/** Who has the unique keys of all these; a new job has those that are free. */
async function holdersOf(
  storage: StorageContract,
  flows: readonly NewFlow[],
  now: number,
): Promise<readonly unknown[]> {
  const makeId = createIdMaker();
  const holders: unknown[] = [];
  const all = flows.flatMap((flow) => flow.jobs);
  const ids = new Set(all.map(({ id }) => id));
  for (const { unique } of all) {
    if (unique === undefined) continue;
    const job = plainJob(makeId(now), { unique: { ...unique, until: "final", onConflict: "ignore" } });
    const flow = { end: job.id, jobs: [job], joins: [] };
    const answer = await storage.enqueue({ queue: QUEUE, flows: [flow], now });
    const [told] = "flows" in answer ? answer.flows : [];
    holders.push([unique.key, told !== undefined && ids.has(told.id) ? told : "free"]);
  }
  return holders;
}

/** What comes of each of them on Redis, and in memory. */
async function playedOnBoth(
  plays: readonly Played[],
): Promise<(readonly [redis: unknown, memory: unknown])[]> {
  const server = await startTestServer();
  afterTest(() => server.stop());
  const both: (readonly [unknown, unknown])[] = [];
  for (const how of plays) {
    const flows = flowsOf(jobs(150, seededBelow(how.seed), how.dues), how);
    const redis = connect(server, `${server.keyPrefix}-${how.seed}`);
    const other = how.isShared === true ? connect(server, `${server.keyPrefix}-${how.seed}`) : undefined;
    const memory = memoryStorage() as unknown as StorageContract;
    both.push([await played([redis, other], flows, how), await played([memory], flows, how)]);
    await Promise.all([redis.close(), other?.close()]);
  }
  return both;
}

test.skipIf(!hasTestServer)(
  "jobs that are like one another are claimed and completed as the memory storage does it",
  { timeout: 30_000 },
  async () => {
    const plays = [1, 2, 3, 4, 5, 6].map((seed) => ({ seed, unreadable: 0, isFollowed: false }));
    for (const [tested, expected] of await playedOnBoth(plays)) expect(tested).toEqual(expected);
  },
);

test.skipIf(!hasTestServer)(
  "jobs that nobody could read are put aside, and told of, as the memory storage does it",
  { timeout: 30_000 },
  async () => {
    const plays = [7, 8, 9, 10, 11, 12].map((seed) => ({
      seed,
      unreadable: 1 + (seed % 3),
      isFollowed: seed % 2 === 0,
    }));
    for (const [tested, expected] of await playedOnBoth(plays)) expect(tested).toEqual(expected);
  },
);

test.skipIf(!hasTestServer)(
  "jobs that become due while others run are claimed as the memory storage does it",
  { timeout: 30_000 },
  async () => {
    const plays = [13, 14, 15, 16, 17, 18].map((seed) => ({
      seed,
      unreadable: seed % 3,
      isFollowed: seed % 2 === 0,
      dues: SOON,
    }));
    for (const [tested, expected] of await playedOnBoth(plays)) expect(tested).toEqual(expected);
  },
);

test.skipIf(!hasTestServer)(
  "steps that settle some otherwise than the rest do as the memory storage does",
  { timeout: 30_000 },
  async () => {
    const plays = [19, 20, 21, 22, 23, 24].map((seed) => ({
      seed,
      unreadable: seed % 3 === 0 ? 10 : 0,
      isFollowed: false,
      odd: { one: 3 + (seed % 4) * 4, of: OTHERWISE },
      ahead: 60,
    }));
    for (const [tested, expected] of await playedOnBoth(plays)) expect(tested).toEqual(expected);
  },
);

test.skipIf(!hasTestServer)(
  "jobs with keys, gates, followers and groups among others are claimed and settled as the memory storage does it",
  { timeout: 30_000 },
  async () => {
    const plays = [25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36].map((seed) => ({
      seed,
      unreadable: seed % 4 === 0 ? 10 : 0,
      isFollowed: false,
      around: [3, 8, 30][seed % 3]!,
      ahead: 60,
      repeated: 6,
      isShared: seed % 2 === 0,
      ...(seed % 4 > 1 ? { odd: { one: 9, of: OTHERWISE } } : {}),
    }));
    for (const [tested, expected] of await playedOnBoth(plays)) expect(tested).toEqual(expected);
  },
);

test.skipIf(!hasTestServer)(
  "jobs that share unique keys are stored, settled and let go as the memory storage does it",
  { timeout: 60_000 },
  async () => {
    const plays = Array.from({ length: PLAYS }, (_, n) => ({
      seed: 400 + n,
      unreadable: [0, 0, 9][n % 3]!,
      isFollowed: n % 4 === 3,
      keyed: [1, 2, 5][n % 3]!,
      gated: [0, 0, 4, 2][n % 4]!,
      begin: [3, 9][n % 2]!,
      ahead: [15, 0, 40][n % 3]!,
      repeated: [0, 5, 3][n % 3]!,
      isShared: n % 5 > 2,
      ...(n % 2 === 0 ? { odd: { one: 12, of: OTHERWISE } } : {}),
    }));
    for (const [tested, expected] of await playedOnBoth(plays)) expect(tested).toEqual(expected);
  },
);

test.skipIf(!hasTestServer)(
  "jobs that share locks and limits are claimed, parked and let go as the memory storage does it",
  { timeout: 60_000 },
  async () => {
    const plays = Array.from({ length: PLAYS }, (_, n) => ({
      seed: 40 + n,
      unreadable: n % 5 === 0 ? 10 : 0,
      isFollowed: n % 4 < 2,
      gated: [1, 2, 9][n % 3]!,
      around: n % 4 === 3 ? 9 : 0,
      ahead: [0, 4, 60][n % 3]!,
      begin: [3, 14, 25][n % 3]!,
      repeated: 6,
      isShared: n % 2 === 0,
      ...(n % 4 > 1 ? { odd: { one: 9, of: OTHERWISE } } : {}),
    }));
    for (const [tested, expected] of await playedOnBoth(plays)) expect(tested).toEqual(expected);
  },
);

const nextId = createIdMaker();
const COMPLETED: SettledOutcome = { kind: "completed", result: undefined };

function settlementsOf(claimed: readonly ClaimedJob[], how: SettledOutcome = COMPLETED): Settlement[] {
  return claimed.map(({ id, fence }) => ({ id, fence, startedAt: START, outcome: how, add: undefined }));
}

/** These jobs on a server of their own, and a connection that looks at it. */
async function storing(
  all: readonly NewJob[],
  retention: typeof RETENTION = RETENTION,
): Promise<{ redis: Redis; store: StorageContract }> {
  const server = await startTestServer();
  afterTest(() => server.stop());
  const redis = new Redis(server.url);
  afterTest(() => redis.disconnect());
  const store = connect(server, server.keyPrefix);
  afterTest(() => store.close());
  await store.open({ queue: QUEUE, retention, now: START });
  const flows = all.map((job) => ({ end: job.id, jobs: [job], joins: [] }));
  await store.enqueue({ queue: QUEUE, flows, now: START });
  return { redis, store };
}

async function scriptsIn(redis: Redis): Promise<number> {
  return Number(/number_of_cached_scripts:(\d+)/.exec(await redis.info("memory"))?.[1]);
}

test.skipIf(!hasTestServer)("jobs that have become due do not send a step the long way", async () => {
  const { redis, store } = await storing(
    Array.from({ length: 1_500 }, (_, n) =>
      plainJob(nextId(START), { due: START + 1_000 + (n % 3), priority: n % 2 }),
    ),
  );
  const claim = { begin: 2, ahead: 400, lease: 30_000 };
  const claimed: ClaimedJob[] = [];
  const steps: (readonly [claimed: number, more: boolean, nextDue: number | undefined])[] = [];
  for (let request = 1; request <= 5; request += 1) {
    const now = START + 1_000 + request;
    // Its first step a storage sends the long way, with what it does once a second.
    if (request === 2) await redis.script("FLUSH");
    const asked = { queue: QUEUE, owner: OWNER, request, tasks: TASKS, begun: [], settled: [], claim, now };
    const answer: StepAnswer = await store.step(asked);
    claimed.push(...answer.claimed);
    steps.push([answer.claimed.length, answer.more, answer.nextDue]);
  }
  // The first step sees those of two milliseconds, 1,000; the others come with the next one.
  expect(steps).toEqual([
    [402, true, START + 1_002],
    [402, true, undefined],
    [402, true, undefined],
    [294, false, undefined],
    [0, false, undefined],
  ]);
  const first = claimed.slice(0, 402).map(({ priority, due }) => [-priority, due]);
  expect(first).toEqual(first.toSorted(([a = 0, b = 0], [c = 0, d = 0]) => a - c || b - d));
  expect(new Set(claimed.map(({ id }) => id)).size).toBe(1_500);
  expect(await scriptsIn(redis)).toBe(1);
});

test.skipIf(!hasTestServer)("a job that nobody could read does not send its step the long way", async () => {
  const { redis, store } = await storing(
    Array.from({ length: 6 }, () => plainJob(nextId(START), { due: START })),
  );
  const asked = { queue: QUEUE, owner: OWNER, tasks: TASKS, begun: [], now: START };
  const claim = { begin: 2, ahead: 4, lease: 30_000 };
  const { claimed } = await store.step({ ...asked, request: 1, settled: [], claim });
  expect(claimed.map(({ begun }) => begun)).toEqual([true, true, false, false, false, false]);
  // The short way is a script of its own, and so is the long one: a server that has forgotten all is given what is needed.
  const scriptsOf = async (work: () => Promise<void>): Promise<number> => {
    await redis.script("FLUSH");
    await work();
    return scriptsIn(redis);
  };
  const settle = async (
    request: number,
    ended: readonly ClaimedJob[],
    how: SettledOutcome,
  ): Promise<void> => {
    const settled = settlementsOf(ended, how);
    const answer = await store.step({ ...asked, request, settled, claim: undefined });
    expect(answer.settled).toEqual(ended.map(() => "applied"));
  };
  const unread = [...claimed.slice(0, 1), ...claimed.slice(2, 5)];
  expect(await scriptsOf(() => settle(2, unread, { kind: "quarantined", error: ERROR }))).toBe(1);
  expect(await scriptsOf(() => settle(3, claimed.slice(5), { kind: "failed", error: ERROR }))).toBe(2);
});

test.skipIf(!hasTestServer)(
  "jobs with keys of their own, and those that are not claimed ahead, do not send a claim the long way",
  async () => {
    const gates = [{ kind: "lock", key: "lock", max: 1, per: undefined, onBusy: "wait" }] as const;
    const { redis, store } = await storing(
      Array.from({ length: 300 }, (_, n) => {
        const unique = { key: `key-${n}`, until: "final", onConflict: "ignore" } as const;
        return plainJob(nextId(START), {
          due: START,
          unique: n % 10 === 5 ? unique : undefined,
          gates: n % 30 === 29 ? gates : undefined,
        });
      }),
    );
    const asked = { queue: QUEUE, owner: OWNER, tasks: TASKS, settled: [], begun: [], now: START };
    const claim = { begin: 10, ahead: 50, lease: 30_000 };
    await store.step({ ...asked, request: 1, claim });
    await redis.script("FLUSH");
    const { claimed, passedOver } = await store.step({ ...asked, request: 2, claim: { ...claim, begin: 0 } });
    expect([claimed.length, passedOver]).toEqual([50, true]);
    expect(await scriptsIn(redis)).toBe(1);
  },
);

/** Claims ten, settles all but the last of those that are held, and so on; how many scripts the server was given for it. */
async function scriptsForSteps(
  all: readonly NewJob[],
  retention: typeof RETENTION = RETENTION,
): Promise<{ scripts: number; claimed: number; store: StorageContract; redis: Redis }> {
  const { redis, store } = await storing(all, retention);
  const asked = { queue: QUEUE, owner: OWNER, tasks: TASKS, begun: [], now: START };
  const claim = { begin: 10, ahead: 50, lease: 30_000 };
  let held = [...(await store.step({ ...asked, request: 1, settled: [], claim })).claimed];
  await redis.script("FLUSH");
  let claimed = held.length;
  for (let request = 2; request < 9; request += 1) {
    const settled = settlementsOf(held.slice(0, -1));
    const answer = await store.step({ ...asked, request, settled, claim });
    expect(answer.settled).toEqual(settled.map(() => "applied"));
    held = [...held.slice(-1), ...answer.claimed];
    claimed += answer.claimed.length;
  }
  return { scripts: await scriptsIn(redis), claimed, store, redis };
}

/** A hundred jobs with gates of their own, or those of the places that are named with others. */
function gatedJobs(gatesOf: (n: number) => Gates): NewJob[] {
  return Array.from({ length: 100 }, (_, n) => plainJob(nextId(START), { due: START, gates: gatesOf(n) }));
}

test.skipIf(!hasTestServer)("jobs with locks and limits go the short way", async () => {
  const { scripts, claimed } = await scriptsForSteps(
    gatedJobs((n) => [
      { ...LOCK, key: `l${n}`, onBusy: "wait" },
      { ...PAIR, key: `p${Math.floor(n / 2)}`, onBusy: "wait" },
      { ...LIMIT, key: `m${n % 40}`, onBusy: "wait" },
    ]),
  );
  expect([scripts, claimed]).toEqual([1, 80]);
});

test.skipIf(!hasTestServer)(
  "jobs with a unique key until they end go the short way, and leave nothing",
  async () => {
    const all = Array.from({ length: 100 }, (_, n) =>
      plainJob(nextId(START), {
        due: START,
        unique: { key: `k${n}`, until: "final", onConflict: "ignore" },
        gates: n % 2 === 0 ? [{ ...LOCK, key: `l${n}`, onBusy: "wait" }] : undefined,
      }),
    );
    const { scripts, claimed, store, redis } = await scriptsForSteps(all, {
      ...RETENTION,
      completed: { for: 60_000, max: 20 },
    });
    const { "*": counts } = await store.counts({ queue: QUEUE });
    expect([scripts, claimed, counts?.completed]).toEqual([1, 100, 20]);
    const [uniques = ""] = await redis.keys("*uniques");
    // One runs on.
    expect(await redis.hlen(uniques)).toBe(100 - 99);
  },
);

test.skipIf(!hasTestServer)(
  "a unique key goes to whoever waits for it, in the step that ends its job",
  async () => {
    const replace = { key: "key", until: "final", onConflict: "replace" } as const;
    const others = Array.from({ length: 9 }, () => plainJob(nextId(START), { due: START }));
    const first = plainJob(nextId(START), { due: START, unique: replace });
    const { store } = await storing([...others, first]);
    const asked = { queue: QUEUE, owner: OWNER, tasks: TASKS, begun: [], now: START };
    const claim = { begin: 10, ahead: 0, lease: 30_000 };
    const { claimed } = await store.step({ ...asked, request: 1, settled: [], claim });
    expect(claimed).toHaveLength(10);
    const next = plainJob(nextId(START), { due: START, unique: replace });
    await store.enqueue({ queue: QUEUE, flows: [{ end: next.id, jobs: [next], joins: [] }], now: START });
    const answer = await store.step({ ...asked, request: 2, settled: settlementsOf(claimed), claim });
    expect(answer.settled).toEqual(claimed.map(() => "applied"));
    expect(answer.claimed.map(({ id }) => id)).toEqual([next.id]);
    const ignore = plainJob(nextId(START), { due: START, unique: { ...replace, onConflict: "ignore" } });
    const flows = [{ end: ignore.id, jobs: [ignore], joins: [] }];
    expect(await store.enqueue({ queue: QUEUE, flows, now: START })).toMatchObject({
      flows: [{ status: "existing", id: next.id, state: "active" }],
    });
  },
);

test.skipIf(!hasTestServer)("jobs that wait for others with their key go the short way", async () => {
  const { scripts, claimed } = await scriptsForSteps(
    gatedJobs(() => [{ ...PAIR, key: "same", onBusy: "wait" }]),
  );
  // One of both is held all the while.
  expect([scripts, claimed]).toEqual([1, 9]);
});

test.skipIf(!hasTestServer)(
  "a job that goes on from a line is told of to whoever could claim it",
  async () => {
    const server = await startTestServer();
    afterTest(() => server.stop());
    const [one, other] = [connect(server, server.keyPrefix), connect(server, server.keyPrefix)];
    afterTest(async () => void (await Promise.all([one.close(), other.close()])));
    for (const each of [one, other]) await each.open({ queue: QUEUE, retention: RETENTION, now: START });
    const kinds: string[] = [];
    afterTest(other.watch(QUEUE, ({ kind }) => void kinds.push(kind)));
    const all = gatedJobs(() => [{ ...LOCK, key: "same", onBusy: "wait" }]).slice(0, 3);
    const flows = all.map((job) => ({ end: job.id, jobs: [job], joins: [] }));
    await one.enqueue({ queue: QUEUE, flows, now: START });
    const asked = { queue: QUEUE, owner: OWNER, tasks: TASKS, begun: [], now: START };
    const claim = { begin: 3, ahead: 0, lease: 30_000 };
    const first = await one.step({ ...asked, request: 1, settled: [], claim });
    const second = await one.step({ ...asked, request: 2, settled: settlementsOf(first.claimed), claim });
    expect(second.claimed.map(({ id }) => id)).toEqual([all[1]!.id]);
    await expect.poll(() => kinds).toContain("any");
    kinds.length = 0;
    // Whoever settles asks for nothing himself.
    const last = await one.step({
      ...asked,
      request: 3,
      settled: settlementsOf(second.claimed),
      claim: undefined,
    });
    expect(last.effects.map(({ id, kind }) => [id, kind])).toEqual([[all[2]!.id, "readied"]]);
    await expect.poll(() => kinds).toContain("ready");
  },
);

test.skipIf(!hasTestServer)(
  "of completed jobs with locks only so many are kept, and the short way removes the others",
  async () => {
    const { scripts, store } = await scriptsForSteps(
      gatedJobs((n) => [{ ...LOCK, key: `l${n}`, onBusy: "wait" }]),
      { ...RETENTION, completed: { for: 60_000, max: 20 } },
    );
    const { "*": counts } = await store.counts({ queue: QUEUE });
    expect([scripts, counts?.completed]).toEqual([1, 20]);
  },
);

test.skipIf(!hasTestServer)(
  "nothing is left of jobs that came again, completed and are removed",
  async () => {
    const all = Array.from({ length: 30 }, () => plainJob(nextId(START), { due: START }));
    const kept = { ...RETENTION, completed: { for: 60_000, max: 5 } };
    const { redis, store } = await storing(all, kept);
    const asked = { queue: QUEUE, owner: OWNER, tasks: TASKS, begun: [], now: START };
    const claim = { begin: 30, ahead: 0, lease: 30_000 };
    const { claimed } = await store.step({ ...asked, request: 1, settled: [], claim });
    const settled = settlementsOf(claimed, { kind: "retry", due: START, error: ERROR, counts: true });
    const { claimed: again } = await store.step({ ...asked, request: 2, settled, claim });
    const done = settlementsOf(again);
    await store.step({ ...asked, request: 3, settled: done, claim });
    for (let request = 4; request < 7; request += 1) {
      await store.step({ ...asked, request, settled: [], claim, now: START + request * 1_000 });
    }
    const [rows = "", stories = ""] = await Promise.all(
      ["rows", "stories"].map(async (name) => (await redis.keys(`*${name}`))[0]),
    );
    expect([await redis.hlen(rows), await redis.hlen(stories)]).toEqual([5, 5]);
  },
);

test.skipIf(!hasTestServer)(
  "what others wait for is settled, and told of, also if its step must go the long way after that",
  async () => {
    const lock = [{ ...LOCK, key: "shared", onBusy: "wait" }] as const;
    const kept = { completed: RETENTION.completed, failed: { for: 60_000, max: 1 } };
    const all = Array.from({ length: 12 }, (_, n) =>
      plainJob(nextId(START), { due: START, gates: n % 6 === 5 ? lock : undefined }),
    );
    const { store } = await storing(all, kept);
    const asked = { queue: QUEUE, owner: OWNER, tasks: TASKS, begun: [], now: START };
    const claim = { begin: 12, ahead: 0, lease: 30_000 };
    const { claimed, effects } = await store.step({ ...asked, request: 1, settled: [], claim });
    expect([claimed.length, effects.map(({ kind }) => kind)]).toEqual([11, ["parked"]]);
    const [first, ...others] = settlementsOf(claimed);
    const failed: Settlement = { ...first!, outcome: { kind: "failed", error: ERROR } };
    await store.step({ ...asked, request: 2, settled: [failed], claim: undefined });
    // From now on a step has something to remove that the short way leaves to the long one.
    await store.open({
      queue: QUEUE,
      retention: { ...kept, failed: { for: 60_000, max: 0 } },
      now: START,
    });
    const answer = await store.step({ ...asked, request: 3, settled: others, claim });
    expect(answer.settled).toEqual(others.map(() => "applied"));
    expect(answer.effects.map(({ id, kind }) => [id, kind])).toEqual([[all[11]!.id, "readied"]]);
    expect(answer.claimed.map(({ id }) => id)).toEqual([all[11]!.id]);
    const { "*": counts } = await store.counts({ queue: QUEUE });
    expect([counts?.completed, counts?.failed, counts?.active]).toEqual([10, 0, 1]);
  },
);

test.skipIf(!hasTestServer)("a claim looks at few of many jobs that are not claimed ahead", async () => {
  const gates = [{ kind: "lock", key: "lock", max: 300, per: undefined, onBusy: "wait" }] as const;
  const { redis, store } = await storing(
    Array.from({ length: 300 }, () => plainJob(nextId(START), { due: START, gates })),
  );
  const asked = { queue: QUEUE, owner: OWNER, tasks: TASKS, settled: [], begun: [], now: START };
  const claim = { begin: 2, ahead: 200, lease: 30_000 };
  await store.step({ ...asked, request: 1, claim });
  await redis.config("RESETSTAT");
  const { claimed, passedOver } = await store.step({ ...asked, request: 2, claim });
  expect([claimed.length, passedOver ?? true]).toEqual([2, true]);
  const looks = Number(/cmdstat_hget:calls=(\d+)/.exec(await redis.info("commandstats"))?.[1]);
  // Of each row one, and of what it may stand in another one.
  expect(looks).toBeLessThan(60);
});

test.skipIf(!hasTestServer)(
  "what hangs on a job is done also if somebody else settles it than has claimed it",
  async () => {
    const own = Array.from({ length: 8 }, () => plainJob(nextId(START), { due: START }));
    const [first, second] = own as [NewJob, NewJob];
    const unique = { key: "key", until: "final", onConflict: "ignore" } as const;
    const follower = plainJob(nextId(START), { after: [{ source: second.id, on: "completed" }] });
    const server = await startTestServer();
    afterTest(() => server.stop());
    const [one, other] = [connect(server, server.keyPrefix), connect(server, server.keyPrefix)];
    afterTest(async () => void (await Promise.all([one.close(), other.close()])));
    for (const each of [one, other]) await each.open({ queue: QUEUE, retention: RETENTION, now: START });
    const flows: NewFlow[] = own.map((job) => ({ end: job.id, jobs: [job], joins: [] }));
    flows[0] = { end: first.id, jobs: [{ ...first, unique }], joins: [] };
    flows[1] = { end: follower.id, jobs: [second, follower], joins: [] };
    await one.enqueue({ queue: QUEUE, flows, now: START });
    const asked = { queue: QUEUE, owner: OWNER, tasks: TASKS, begun: [], now: START };
    const claim = { begin: 8, ahead: 0, lease: 30_000 };
    const { claimed } = await one.step({ ...asked, request: 1, settled: [], claim });
    expect(claimed.map(({ id }) => id)).toEqual(own.map(({ id }) => id));
    expect(claimed[0]?.guards).toEqual({ gates: [], unique: "key", after: [] });
    const settled = settlementsOf(claimed);
    const answer = await other.step({ ...asked, request: 2, settled, claim });
    expect(answer.settled).toEqual(own.map(() => "applied"));
    expect(answer.claimed.map(({ id }) => id)).toEqual([follower.id]);
    expect(await holdersOf(other, flows, START)).toEqual([["key", "free"]]);
  },
);
