/** What stands beside the jobs: schedules, values, locks. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type {
  KeysAnswer,
  KeysRequest,
  ScheduleRecord,
  SchedulesRequest,
  TickAnswer,
  ValueAnswer,
  ValueOperation,
  ValuesRequest,
} from "@taskq/core/storage";
import { bytes, text } from "../../bytes.js";
import { flow, job, LIMIT, LOCKS } from "../arbitraries.js";
import { normalEffects } from "../normal.js";
import { describeShape, makeFlow, type Shape } from "../shape.js";
import { OWNERS, QUEUE, TASKS, type World } from "../world.js";
import { Move } from "./move.js";

const SCHEDULES = ["hourly", "nightly"] as const;

/** Declares, pauses, resumes and removes schedules. */
export const schedules: fc.Arbitrary<Move> = fc
  .record({
    name: fc.constantFrom(SCHEDULES[0], SCHEDULES[0], SCHEDULES[0], SCHEDULES[1]),
    kind: fc.constantFrom(
      "declare",
      "declare",
      "declare",
      "upsert",
      "pause",
      "pause",
      "resume",
      "resume",
      "remove",
    ),
    task: fc.constantFrom(TASKS[0], TASKS[1]),
    version: fc.nat({ max: 2 }),
  })
  .map(({ name, kind, task, version }) => {
    const change: NonNullable<SchedulesRequest["change"]> =
      kind === "declare" || kind === "upsert"
        ? {
            kind,
            name,
            origin: kind === "declare" ? "task" : "stored",
            task,
            bytes: bytes(`version ${version}`),
          }
        : { kind, name };
    return new Move("schedules", async (world) => {
      if (kind === "pause" || kind === "resume") await declareOnce(world, name, kind === "resume");
      world.said = `${kind} ${name}`;
      const result = await world.both("schedules", (storage) =>
        storage.schedules({ queue: QUEUE, change, now: world.now }),
      );
      if (result.code !== undefined) return;
      const { reference, tested } = result.answers;
      assert.equal(tested.changed, reference.changed, "schedules answers otherwise");
      assert.deepEqual(plainSchedules(tested.schedules), plainSchedules(reference.schedules));
      if (reference.changed) world.cover(`schedules: ${change.kind}`);
    });
  });

/** Declares a schedule that is not there, and pauses it if asked to. */
async function declareOnce(world: World, name: string, paused = false): Promise<void> {
  const { storages, now } = world;
  const { schedules: known } = await storages.reference.schedules({ queue: QUEUE, now });
  if (known.some((schedule) => schedule.name === name)) return;
  const declare = {
    kind: "declare",
    name,
    origin: "task",
    task: TASKS[0],
    bytes: bytes("declared"),
  } as const;
  for (const change of [declare, ...(paused ? [{ kind: "pause", name } as const] : [])]) {
    for (const storage of Object.values(storages)) await storage.schedules({ queue: QUEUE, change, now });
  }
}

function plainSchedules(records: readonly ScheduleRecord[]): unknown {
  return records.map((record) => ({ ...record, bytes: text(record.bytes) }));
}

interface TickAsked {
  readonly name: string;
  readonly shapes: readonly Shape[];
  readonly overlap: "allow" | "skip" | "queue";
  readonly stale: boolean;
}

/** Fires a schedule. */
export const tick: fc.Arbitrary<Move> = fc
  .record<TickAsked>({
    name: fc.constantFrom(SCHEDULES[0], SCHEDULES[0], SCHEDULES[0], SCHEDULES[0], SCHEDULES[1], "unheard of"),
    shapes: fc.oneof(
      { weight: 1, arbitrary: fc.constant([]) },
      { weight: 5, arbitrary: fc.array(fc.oneof(job, flow), { minLength: 1, maxLength: 2 }) },
    ),
    overlap: fc.constantFrom("allow", "skip", "skip", "queue", "queue"),
    stale: fc.constantFrom(false, false, false, true),
  })
  .map((asked) => new Move("tick", async (world) => playTick(world, asked)));

async function playTick(world: World, { name, shapes, overlap, stale }: TickAsked): Promise<void> {
  if (name !== "unheard of") await declareOnce(world, name);
  const read = await world.storages.reference.schedules({ queue: QUEUE, now: world.now });
  const last = read.schedules.find((schedule) => schedule.name === name)?.lastAt ?? world.now - 10;
  if (last >= world.now) world.now = last + 1;
  const flows = shapes.map((shape) =>
    makeFlow(shape, { now: world.now, makeId: world.makeId, name: undefined, after: [] }),
  );
  world.said = `${name}, overlap ${overlap}: ${shapes.map(describeShape).join("; ")}`;
  world.sent(flows, "schedule");
  const result = await world.both("tick", (storage) =>
    storage.tick({
      queue: QUEUE,
      name,
      previous: stale ? last - 1 : last,
      at: world.now,
      flows,
      overlap,
      now: world.now,
    }),
  );
  if (result.code !== undefined) return;
  const { reference, tested } = result.answers;
  assert.deepEqual(plainTick(tested), plainTick(reference), "tick answers otherwise");
  world.cover(`tick: ${reference.status}`);
}

function plainTick({ status, lastAt, flows, skipped = 0, effects }: TickAnswer): unknown {
  return {
    status,
    lastAt,
    skipped,
    flows: flows.map((stored) => [stored.status, stored.id]),
    effects: normalEffects(effects),
  };
}

const key = fc.constantFrom("first", "second");
const content = fc.constantFrom("one", "two").map((word) => bytes(word));
/** Milliseconds from now, made an instant when it is played. */
const expiry = fc.constantFrom(undefined, undefined, 2_000);

const operation: fc.Arbitrary<ValueOperation> = fc.oneof(
  fc.record({ kind: fc.constantFrom("get" as const, "take" as const, "delete" as const), key }),
  fc.record({
    kind: fc.constantFrom("set" as const, "set-if-absent" as const),
    key,
    bytes: content,
    expiresAt: expiry,
  }),
  fc.record({
    kind: fc.constant("compare-and-delete" as const),
    key,
    bytes: content,
    number: fc.option(fc.integer({ min: -2, max: 5 }), { nil: undefined }),
  }),
  fc.record({
    kind: fc.constant("as-number" as const),
    key,
    bytes: content,
    number: fc.integer({ min: -2, max: 5 }),
  }),
  fc.record({
    kind: fc.constant("increment" as const),
    key,
    by: fc.integer({ min: -2, max: 5 }),
    expiresAt: expiry,
  }),
);

/** Reads and changes values; or repeats the last such call. */
export const values: fc.Arbitrary<Move> = fc
  .record({ operations: fc.array(operation, { minLength: 1, maxLength: 4 }), again: fc.nat({ max: 2 }) })
  .map(({ operations, again }) => {
    return new Move("values", async (world) => {
      const repeated = again === 0 ? world.lastValues : undefined;
      const request: ValuesRequest = repeated ?? {
        queue: QUEUE,
        operation: `operation-${world.nextNumber()}`,
        operations: operations.map((one) => atInstant(one, world.now)),
      };
      world.said = `${request.operation}: ${request.operations.map(({ kind, key: of }) => `${kind} ${of}`).join(", ")}`;
      world.lastValues = { ...request, now: world.now };
      const result = await world.both("values", (storage) => storage.values({ ...request, now: world.now }));
      if (result.code !== undefined) return;
      const { reference, tested } = result.answers;
      assert.deepEqual(tested.map(plainValue), reference.map(plainValue), "values answer otherwise");
      if (repeated !== undefined) world.cover("values: repeated");
      for (const { kind } of request.operations) world.cover(`values: ${kind}`);
    });
  });

function atInstant(one: ValueOperation, now: number): ValueOperation {
  if (!("expiresAt" in one) || one.expiresAt === undefined) return one;
  return { ...one, expiresAt: now + one.expiresAt };
}

function plainValue(answer: ValueAnswer): unknown {
  return answer.kind === "bytes" ? text(answer.bytes) : answer;
}

interface KeysAsked {
  readonly kind: "acquire" | "renew" | "release" | "inspect";
  readonly name: string;
  readonly ticket: string | undefined;
  readonly wait: number | undefined;
}

/** Takes and frees locks and a semaphore, in one line with jobs. */
export const keys: fc.Arbitrary<Move> = fc
  .record<KeysAsked>({
    kind: fc.constantFrom("acquire", "acquire", "acquire", "renew", "release", "release", "inspect"),
    name: fc.constantFrom(LOCKS[0], LOCKS[0], LOCKS[1], "semaphore"),
    ticket: fc.constantFrom("x", "x", "y", "z", undefined),
    wait: fc.constantFrom(undefined, 3_000, 3_000),
  })
  .map((asked) => {
    const { kind, name, ticket } = asked;
    return new Move("keys", async (world) => {
      world.said = `${kind} ${name}${ticket === undefined ? "" : ` ${ticket}`}`;
      const result = await world.both("keys", (storage) =>
        storage.keys({ ...keysRequest(asked), queue: QUEUE, now: world.now }),
      );
      if (result.code !== undefined) return;
      const { reference, tested } = result.answers;
      assert.deepEqual(plainKeys(tested), plainKeys(reference), "keys answers otherwise");
      world.cover(`keys: ${reference.status}`);
    });
  });

type Without<R> = R extends unknown ? Omit<R, "queue" | "now"> : never;

function keysRequest({ kind, name, ticket, wait }: KeysAsked): Without<KeysRequest> {
  const named = ticket ?? "x";
  switch (kind) {
    case "acquire":
      return {
        kind,
        name,
        ticket: named,
        owner: `${OWNERS[0]} with ${named}`,
        max: name === "semaphore" ? 2 : 1,
        ttl: 6_000,
        wait,
      };
    case "renew":
      return { kind, name, ticket: named, ttl: 6_000 };
    case "release":
      return { kind, name, ticket };
    case "inspect":
      return { kind, name };
  }
}

function plainKeys({ status, fence, expiresAt, holders }: KeysAnswer): unknown {
  return {
    status,
    fence: fence !== undefined,
    expiresAt,
    holders: holders.map((holder) => `${holder.owner} ${holder.expiresAt}`).toSorted(),
  };
}

/** Takes starts under the limit of the jobs. */
export const take: fc.Arbitrary<Move> = fc.constantFrom("one", "two", undefined).map(
  (name) =>
    new Move("take", async (world) => {
      // A flush forgets names and keeps starts: what a name from before it answers then is left to a storage.
      const asked = name === undefined ? `take ${world.nextNumber()}` : `${name} ${world.flushes}`;
      world.said = asked;
      const result = await world.both("take", (storage) =>
        storage.take({ ...LIMIT, queue: QUEUE, operation: asked, now: world.now }),
      );
      if (result.code !== undefined) return;
      const { reference, tested } = result.answers;
      assert.deepEqual(tested, reference, "take answers otherwise");
      world.cover(reference.taken ? "take: taken" : "take: used up");
    }),
);
