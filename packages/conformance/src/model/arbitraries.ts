/** Random shapes of flows. */
import fc from "fast-check";
import type { NewGate } from "@taskq/core/storage";
import type { ChainShape, GroupShape, GuardedShape, JobShape, Shape, UniqueShape } from "./shape.js";
import { TASKS } from "./world.js";

export const LOCKS = ["door", "gate"] as const;

function lock(key: string, onBusy: NewGate["onBusy"]): NewGate {
  return { kind: "lock", key, max: 1, per: undefined, onBusy };
}

const SLOT: NewGate = { kind: "concurrency", key: "slot", max: 2, per: undefined, onBusy: "wait" };

export const LIMIT = { key: "rate", max: 2, per: 4_000 } as const;

function limit(onBusy: NewGate["onBusy"]): NewGate {
  return { kind: "limit", ...LIMIT, onBusy };
}

const gates: fc.Arbitrary<readonly NewGate[] | undefined> = fc.oneof(
  { weight: 4, arbitrary: fc.constant(undefined) },
  { weight: 2, arbitrary: fc.constant([lock("door", "wait")]) },
  // As many as before and after somebody changes it.
  { weight: 2, arbitrary: fc.constantFrom(1, 2, 2, 3).map((max) => [{ ...SLOT, max }]) },
  { weight: 1, arbitrary: fc.constant([lock("door", "wait"), SLOT]) },
  { weight: 2, arbitrary: fc.constant([limit("wait")]) },
  { weight: 1, arbitrary: fc.constant([lock("door", "wait"), limit("wait")]) },
  { weight: 1, arbitrary: fc.constant([limit("drop")]) },
  {
    weight: 3,
    arbitrary: fc
      .constantFrom("skip" as const, "drop" as const, "fail" as const)
      .map((onBusy) => [lock("gate", onBusy)]),
  },
);

const unique: fc.Arbitrary<UniqueShape | undefined> = fc.oneof(
  { weight: 1, arbitrary: fc.constant(undefined) },
  {
    weight: 1,
    arbitrary: fc.record<UniqueShape>({
      key: fc.constantFrom("one", "one", "two"),
      until: fc.constantFrom("started" as const, "final" as const, 3_000),
      onConflict: fc.constantFrom("ignore" as const, "replace" as const),
    }),
  },
);

const task: fc.Arbitrary<string> = fc.constantFrom(TASKS[0], TASKS[0], TASKS[1], TASKS[2], TASKS[3]);

function jobWith(parts: {
  readonly gates: fc.Arbitrary<readonly NewGate[] | undefined>;
  readonly unique: fc.Arbitrary<UniqueShape | undefined>;
}): fc.Arbitrary<JobShape> {
  return fc.record<JobShape>({
    kind: fc.constant("job"),
    task,
    priority: fc.constantFrom(0, 0, 0, 5, -5, 2 ** 31 - 1, -(2 ** 31)),
    delay: fc.constantFrom(0, 0, 0, 0, 1_000, 5_000),
    expires: fc.constantFrom(undefined, undefined, undefined, undefined, 2_000),
    delivery: fc.constantFrom("at-least-once", "at-least-once", "at-least-once", "at-most-once"),
    keep: fc.constantFrom(undefined, undefined, undefined, KEPT_SHORT),
    ...parts,
  });
}

const KEPT_SHORT = 50_000;

export const job: fc.Arbitrary<JobShape> = jobWith({ gates, unique });

/** What a run may be given back with. */
export const KEYS: readonly Partial<Pick<JobShape, "gates" | "unique">>[] = [
  {},
  { gates: [lock("door", "wait")] },
  { gates: [SLOT, limit("wait")] },
  { gates: [lock("gate", "skip")] },
  { unique: { key: "one", until: "final", onConflict: "ignore" } },
  { unique: { key: "two", until: "started", onConflict: "replace" }, gates: [lock("door", "wait")] },
  { unique: { key: "one", until: 3_000, onConflict: "ignore" } },
];

/** Jobs that wait for nothing but their turn: the bulk of stages and members. */
const plain: fc.Arbitrary<JobShape> = jobWith({
  gates: fc.constant(undefined),
  unique: fc.constant(undefined),
});

const { shape } = fc.letrec<{
  shape: Shape;
  chain: ChainShape;
  group: GroupShape;
  guarded: GuardedShape;
}>((tie) => ({
  shape: fc.oneof(
    { maxDepth: 2 },
    { weight: 2, arbitrary: plain },
    { weight: 2, arbitrary: job },
    { weight: 2, arbitrary: tie("chain") },
    { weight: 2, arbitrary: tie("group") },
    { weight: 1, arbitrary: tie("guarded") },
  ),
  chain: fc.record<ChainShape>({
    kind: fc.constant("chain"),
    stages: fc.array(tie("shape"), { minLength: 2, maxLength: 3 }),
    on: fc.constantFrom("completed", "completed", "completed", "settled"),
  }),
  group: fc.record<GroupShape>({
    kind: fc.constant("group"),
    mode: fc.constantFrom("all", "all", "settled"),
    members: fc.array(tie("shape"), { maxLength: 3 }),
  }),
  guarded: fc.record<GuardedShape>({
    kind: fc.constant("guarded"),
    part: tie("shape"),
    handler: plain,
  }),
}));

/** Any flow. */
export const flow: fc.Arbitrary<Shape> = shape;

/** A number to pick one of a list with. */
export const index: fc.Arbitrary<number> = fc.nat({ max: 99 });

/** Such a value once in so many times, and `undefined` otherwise. */
export function sometimes<T>(arbitrary: fc.Arbitrary<T>, oneIn: number): fc.Arbitrary<T | undefined> {
  return fc.oneof({ weight: oneIn - 1, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary });
}
