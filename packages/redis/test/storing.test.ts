/** The short ways of storing: what they leave on the server is what the long one leaves. */
import { plainJob } from "@taskq/conformance";
import {
  createIdMaker,
  type NewFlow,
  type NewJob,
  type NewJoin,
  type StepRequest,
  type StorageContract,
} from "@taskq/core/storage";
import type { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Reply } from "../src/connection/client.js";
import { KEY_NAMES, type KeyName } from "../src/lua/key-names.js";
import { SCRIPTS } from "../src/lua/scripts.js";
import { keyBase } from "../src/names.js";
import { OpenQueue } from "../src/open-queue.js";
import { unpackAll } from "../src/wire/unpack.js";
import { serverBinary } from "./servers/binary.js";
import { ownServer } from "./support/own-server.js";
import { seededBelow, type Below } from "./support/seeded.js";
import { alone } from "./support/spread.js";
import { connect, newPrefix } from "./support/store.js";

const START = 1_800_000_000_000;
const RETENTION = { completed: { for: 6, max: 1e6 }, failed: { for: 6, max: 1e6 } };
const PLAYS = Number(process.env["TASKQ_STORING_PLAYS"] ?? 12);
/** What a run leaves as it is. */
const WRITTEN: readonly KeyName[] = ["bodies", "listing", "memory", "ready", "scheduled", "uniques"];
/** The queue that is stored into the short ways, and the one for which those find something in the way. */
const [SHORT, LONG] = ["main", "long"] as const;
const QUEUES = [SHORT, LONG] as const;
const TASKS = ["work", "other"];

const LOCK = { kind: "lock", key: "door", max: 1, per: undefined, onBusy: "wait" } as const;
const UNTIL: readonly NonNullable<NewJob["unique"]>["until"][] = ["final", "started", START + 40, START + 7];

/** Few ids and keys, so that many of them are taken. */
function newJob(random: Below, made: string, now: number): NewJob {
  const named = random(4) === 0;
  return plainJob(named ? `order ${random(25)} ü` : made, {
    named,
    order: named ? made : undefined,
    task: named || random(5) > 0 ? "work" : "other",
    body: new Uint8Array(random(8) === 0 ? 700 : random(90)).fill(120),
    priority: random(5) === 0 ? random(5) - 2 : 0,
    due: now + (random(5) === 0 ? random(40) : 0),
    expiresAt: random(9) === 0 ? START + 1e6 : undefined,
    delivery: random(9) === 0 ? "at-most-once" : "at-least-once",
    gates: random(9) === 0 ? [LOCK] : undefined,
    keep: random(9) === 0 ? { completed: 10, failed: undefined } : undefined,
    unique:
      random(4) === 0
        ? { key: `key ${random(9)} ß`, until: UNTIL[random(UNTIL.length)] ?? "final", onConflict: "ignore" }
        : undefined,
  });
}

/** One job; or a chain, a group, or a group within a chain, mostly of plain ones. */
function newFlow(random: Below, makeId: () => string, now: number): NewFlow {
  const kind = random(12);
  if (kind < 8) return alone(newJob(random, makeId(), now));
  const one = (after?: NewJob["after"]): NewJob => ({ ...newJob(random, makeId(), now), after });
  const plain = (after?: NewJob["after"]): NewJob => ({
    ...one(after),
    id: makeId(),
    named: false,
    unique: undefined,
  });
  const make = random(6) === 0 ? one : plain;
  const on = (["completed", "failed", "settled"] as const)[random(3)] ?? "completed";
  if (kind === 8) {
    const jobs = [make()];
    for (let n = 0; n <= random(3); n += 1) jobs.push(make([{ source: jobs[n]?.id ?? "", on }]));
    return { end: jobs.at(-1)?.id ?? "", jobs, joins: [] };
  }
  const members = Array.from({ length: random(4) }, () => make());
  const mode = random(2) === 0 ? "all" : "settled";
  const id = makeId();
  const join: NewJoin = { id, mode, members: members.map((member) => member.id) };
  if (kind === 9) return { end: id, jobs: members, joins: [join] };
  const callback = make([{ source: id, on: "completed" }]);
  if (kind === 10) return { end: callback.id, jobs: [...members, callback], joins: [join] };
  const other = makeId();
  const outer: NewJoin = { id: other, mode: "all", members: [id, callback.id] };
  return { end: other, jobs: [callback, ...members], joins: random(2) === 0 ? [join, outer] : [outer, join] };
}

/** The same number, and the same text, may be written in several ways. */
function valueOf(name: string, value: Buffer): unknown {
  if (name === "rows") return [value.toString("hex", 0, 11), unpackAll(value.subarray(11), -1)];
  return name === "uniques" ? unpackAll(value, -1) : value.toString("latin1");
}

/** All that the server has of a queue, by the names of its keys. */
async function contents(redis: Redis, prefix: string, queue: string): Promise<Record<string, unknown>> {
  const found: Record<string, unknown> = {};
  for (const name of KEY_NAMES) {
    const key = `${keyBase(prefix, queue)}${name}`;
    const type = await redis.type(key);
    if (type === "hash") {
      const fields = await redis.hgetallBuffer(key);
      found[name] = Object.fromEntries(
        Object.entries(fields).map(([field, value]) => [field, valueOf(name, value)]),
      );
    } else if (type === "zset") {
      const values = await redis.zrangeBuffer(key, 0, "-1", "WITHSCORES");
      found[name] = values.map((value) => value.toString("latin1").replace(/^-0$/, "0"));
    } else if (type === "stream") found[name] = await redis.xrange(key, "-", "+");
    else if (type === "string") found[name] = (await redis.getBuffer(key))?.toString("latin1");
    else if (type !== "none") found[name] = type;
  }
  return found;
}

/** The same call for both queues; answers what the two have told. */
async function both<T>(call: (queue: string) => Promise<T>): Promise<T> {
  const [one, other] = [await call(SHORT), await call(LONG)];
  expect(one).toEqual(other);
  return one;
}

/** Counts what the short scripts store, and what they leave: of one queue, everything. */
function countedBy(send: OpenQueue["send"], counts: { stored: number; left: number }): OpenQueue["send"] {
  return function sent(this: OpenQueue, receiver, script, ...rest): void {
    const isShort = script === SCRIPTS.add || script === SCRIPTS.addMixed;
    if (isShort && this.name === LONG) return receiver.resolve(0);
    const resolve = (reply: Reply): void => {
      if (reply === 0) counts.left += 1;
      else counts.stored += 1;
      receiver.resolve(reply);
    };
    send.call(this, { resolve, reject: (error) => receiver.reject(error) }, script, ...rest);
  };
}

describe.skipIf(serverBinary() === undefined)("stored the short way", () => {
  const own = ownServer();
  const send = Reflect.get(OpenQueue.prototype, "send");
  const short = { stored: 0, left: 0 };

  beforeAll(() => {
    OpenQueue.prototype.send = countedBy(send, short);
  });
  afterAll(() => {
    OpenQueue.prototype.send = send;
  });

  async function opened(): Promise<{ readonly prefix: string; readonly storage: StorageContract }> {
    const prefix = newPrefix();
    const storage = connect(own.server, prefix);
    for (const queue of QUEUES) await storage.open({ queue, retention: RETENTION, now: START });
    // Fences begin anywhere: those of both at the same one.
    for (const name of ["queue", "memory"]) {
      const [from, to] = QUEUES.map((queue) => `${keyBase(prefix, queue)}${name}`) as [string, string];
      await own.redis.copy(from, to, "REPLACE");
    }
    return { prefix, storage };
  }

  // Of rows that are claimed and end meanwhile, the long way writes those anew at which it has looked.
  const plays = Array.from({ length: PLAYS }, (_, n) => [n + 1, n % 2 === 1] as const);
  test.each(plays)("play %i (with runs: %s)", async (seed, withRuns) => {
    const random = seededBelow(seed * 7_919);
    const { prefix, storage } = await opened();
    const makeId = createIdMaker();
    let [now, request] = [START, 0];
    const step = (more: Partial<StepRequest>): ReturnType<StorageContract["step"]> => {
      request += 1;
      return both((queue) =>
        storage.step({
          queue,
          now,
          owner: "owner",
          request,
          tasks: TASKS,
          settled: [],
          begun: [],
          claim: undefined,
          ...more,
        }),
      );
    };
    let before: NewFlow[] = [];
    for (let turn = 0; turn < 25; turn += 1) {
      const flows = Array.from({ length: 1 + random(random(3) === 0 ? 20 : 2) }, () =>
        newFlow(random, () => makeId(now), now),
      );
      // A call whose answer was lost is made again, perhaps with others.
      if (random(6) === 0) flows.push(...before.filter(() => random(2) === 0));
      // An id that differs from one that is there in its random part only.
      const [twin] = before[0]?.jobs ?? [];
      if (random(12) === 0 && twin?.named === false && before[0]?.jobs.length === 1) {
        flows.push(alone({ ...twin, id: `${twin.id.slice(0, 14)}01234567` }));
      }
      before = flows;
      const stored = both((queue) =>
        storage.enqueue({ queue, flows, now }).catch((error: unknown) => ({ error })),
      );
      await stored;
      const [one, other] = [
        await contents(own.redis, prefix, SHORT),
        await contents(own.redis, prefix, LONG),
      ];
      for (const name of withRuns ? WRITTEN : KEY_NAMES) {
        expect([name, one[name]]).toEqual([name, other[name]]);
      }
      if (withRuns && random(3) === 0) {
        const { claimed } = await step({ claim: { begin: 3, ahead: random(4), lease: 30_000 } });
        if (random(3) > 0) {
          await step({
            settled: claimed.map(({ id, fence }) => ({
              id,
              fence,
              startedAt: now,
              outcome:
                random(2) === 0
                  ? ({ kind: "failed", error: new Uint8Array(3) } as const)
                  : ({ kind: "completed", result: undefined } as const),
              add: undefined,
            })),
          });
        }
      }
      if (random(4) === 0) now += 1 + random(30);
      if (random(5) === 0) await both((queue) => storage.purge({ queue, limit: 100, now }));
    }
    await storage.close();
  });

  test("many jobs of which one was given an id are listed in their order", async () => {
    const { storage } = await opened();
    const makeId = createIdMaker();
    const jobs = Array.from({ length: 150 }, () => plainJob(makeId(START), { due: START }));
    jobs[77] = plainJob("order 77", { named: true, order: makeId(START), due: START });
    await both((queue) => storage.enqueue({ queue, flows: jobs.map(alone), now: START }));
    const { records } = await both((queue) => storage.list({ queue, limit: 500, now: START }));
    expect(records.map(({ id }) => id)).toEqual(jobs.map(({ id }) => id));
    await storage.close();
  });

  test("jobs of one tick with ids and unique keys are stored by one call, and those that are there are told of", async () => {
    const { storage } = await opened();
    const makeId = createIdMaker();
    const now = Date.now();
    const order = (n: number): NewJob =>
      plainJob(`order ${n}`, { named: true, order: makeId(now), due: now });
    const unique = { key: "the key", until: "final", onConflict: "ignore" } as const;
    const first = plainJob(makeId(now), { unique, due: now + 60_000 });
    await storage.enqueue({ queue: SHORT, flows: [alone(first)] });
    const before = { ...short };
    // The first of a tick goes alone.
    const jobs = [
      order(1),
      order(2),
      plainJob(makeId(now), { due: now }),
      order(1),
      plainJob(makeId(now), { unique }),
    ];
    const answers = await Promise.all(
      jobs.map((job) => storage.enqueue({ queue: SHORT, flows: [alone(job)] })),
    );
    expect(answers.map((answer) => ("flows" in answer ? answer.flows : answer))).toEqual([
      [{ status: "stored", id: "order 1", state: "ready" }],
      [{ status: "stored", id: "order 2", state: "ready" }],
      [{ status: "stored", id: jobs[2]?.id, state: "ready" }],
      [{ status: "existing", id: "order 1", state: "ready" }],
      [{ status: "existing", id: first.id, state: "scheduled" }],
    ]);
    expect(short).toEqual({ stored: before.stored + 2, left: before.left });
    await storage.close();
  });

  test("most of those calls went the short way", () => {
    expect(short.left).toBeLessThan(short.stored / 4);
  });
});
