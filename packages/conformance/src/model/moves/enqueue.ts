import assert from "node:assert/strict";
import fc from "fast-check";
import {
  joinId,
  splitId,
  type EdgeCondition,
  type EnqueueAnswer,
  type EnqueueCollision,
  type NewFlow,
  type StoredFlow,
} from "@taskq/core/storage";
import { flow as anyFlow, index, job, sometimes } from "../arbitraries.js";
import { normalEffects } from "../normal.js";
import { describeShape, isPlainShape, makeFlow, type Shape } from "../shape.js";
import { QUEUE, TASKS, type World } from "../world.js";
import { advance } from "./advance.js";
import { Move } from "./move.js";

/** Names that callers give, few enough to be given again. */
const NAMES = ["name-a", "name-b", "name-c"] as const;

interface Asked {
  readonly shape: Shape;
  readonly name: number | undefined;
  readonly behind: { readonly pick: number; readonly on: EdgeCondition } | undefined;
}

const anAsked: fc.Arbitrary<Asked> = fc.record<Asked>({
  shape: fc.oneof({ weight: 3, arbitrary: job }, { weight: 4, arbitrary: anyFlow }),
  name: sometimes(fc.nat({ max: 2 }), 6),
  behind: sometimes(
    fc.record({
      pick: index,
      on: fc.constantFrom("completed" as const, "failed" as const, "settled" as const),
    }),
    6,
  ),
});

/** Stores one flow or several in one call. */
export const enqueue: fc.Arbitrary<Move> = fc
  .array(anAsked, { minLength: 1, maxLength: 2 })
  .map((all) => new Move("enqueue", async (world) => playEnqueue(world, all)));

/**
 * A storage makes a key of its own for a job with a name. Whether that comes before or after the ids that were made in
 * the same millisecond is left to it; hence such a job has a call and a millisecond to itself.
 */
async function playEnqueue(world: World, asked: readonly Asked[]): Promise<void> {
  const named = asked.find(({ name, shape }) => name !== undefined && shape.kind === "job");
  const all = named === undefined ? asked.map((one) => ({ ...one, name: undefined })) : [named];
  if (named !== undefined) await advance(world, 1);
  await playFlows(world, all);
  if (named !== undefined) await advance(world, 1);
}

async function playFlows(world: World, all: readonly Asked[]): Promise<void> {
  const flows = all.map((one) => make(world, one));
  world.said = all
    .map(({ shape }, at) => `${describeShape(shape)} as ${flows[at]?.end}${behindWhat(flows[at])}`)
    .join("; ");
  world.lastFlows = flows;
  await send(world, flows);
}

function behindWhat(flow: NewFlow | undefined): string {
  const own = new Set([...(flow?.jobs ?? []), ...(flow?.joins ?? [])].map(({ id }) => id));
  const edges = (flow?.jobs ?? []).flatMap((one) => one.after ?? []).filter(({ source }) => !own.has(source));
  return edges.length === 0 ? "" : ` behind ${edges.map(({ source, on }) => `${source} ${on}`).join(", ")}`;
}

function make(world: World, { shape, name, behind }: Asked): NewFlow {
  const given = name === undefined ? undefined : world.give(NAMES[name] ?? NAMES[0]);
  const awaited = world.there(true).filter((id) => world.spread?.isAtHome(id) ?? true);
  const source = behind === undefined ? undefined : world.pick(awaited, behind.pick);
  if (source !== undefined) world.cover("enqueue: behind what is there");
  return makeFlow(
    shape.kind === "job" && name !== undefined ? { ...shape, task: TASKS[name] ?? "" } : shape,
    {
      now: world.now,
      makeId: world.makeId,
      name: given,
      after: source === undefined || behind === undefined ? [] : [{ source, on: behind.on }],
    },
  );
}

async function send(world: World, flows: readonly NewFlow[]): Promise<readonly StoredFlow[] | undefined> {
  world.sent(flows, "call");
  const result = await world.both("enqueue", (storage) =>
    storage.enqueue({ queue: QUEUE, flows, now: world.now }),
  );
  if (result.code !== undefined) {
    if (result.code === "TASKQ_ID_TAKEN") world.cover("enqueue: TASKQ_ID_TAKEN");
    return undefined;
  }
  const { reference, tested } = result.answers;
  assert.deepEqual(normal(tested, flows), normal(reference, flows), "enqueue answers otherwise");
  if ("collision" in reference) {
    world.cover("enqueue: collision");
    return undefined;
  }
  cover(world, flows, reference);
  return reference.flows;
}

function normal(answer: EnqueueAnswer | EnqueueCollision, flows: readonly NewFlow[]): unknown {
  if ("collision" in answer) return answer;
  return {
    flows: answer.flows.map(({ status, id, state }, at) => {
      const { jobs = [], joins = [] } = flows[at] ?? {};
      const alone = jobs.length === 1 && joins.length === 0 && jobs[0]?.after === undefined;
      return { status, id, state: alone ? stateOf(status, state) : undefined };
    }),
    effects: normalEffects(answer.effects),
  };
}

/** Of one that is there it is left to a storage when it is parked, or promoted once it is due. */
function stateOf(status: StoredFlow["status"], state: StoredFlow["state"]): string {
  const waits = state === "ready" || state === "parked" || (status === "existing" && state === "scheduled");
  return waits ? "ready" : state;
}

function cover(world: World, flows: readonly NewFlow[], answer: EnqueueAnswer): void {
  for (const [at, { status, id }] of answer.flows.entries()) {
    const flow = flows[at];
    world.cover(status === "stored" ? "enqueue: stored" : "enqueue: existing");
    if (status === "existing" && id !== flow?.end) world.cover("unique: ignored");
    if (status !== "stored") continue;
    if (flow?.jobs.some(({ due }) => due > world.now) === true) world.cover("enqueue: delayed");
    if (flow?.joins.some(({ members }) => members.length === 0) === true) world.cover("enqueue: empty group");
  }
  if (answer.effects.some(({ reason }) => reason === "replaced")) world.cover("unique: replaced");
}

/** The last enqueue again, as by a caller whose answer got lost; not once some of it is purged. */
export const enqueueAgain: fc.Arbitrary<Move> = fc.constant(undefined).map(
  () =>
    new Move("enqueue again", async (world) => {
      const flows = world.lastFlows;
      if (flows === undefined) return;
      const ids = flows.flatMap((one) => [...one.jobs, ...one.joins].map(({ id }) => id));
      if (!ids.every((id) => world.known.has(id))) return;
      world.said = flows.map(({ end }) => end).join("; ");
      const answers = await send(world, flows);
      if (answers?.every(({ status }) => status === "existing") === true) world.cover("enqueue: repeated");
    }),
);

/** A name that stands for another task, or an id whose place in the order is taken. */
export const enqueueTaken: fc.Arbitrary<Move> = fc
  .record({ job, pick: index, named: fc.boolean() })
  .map(({ job: shape, pick, named }) => {
    return new Move("enqueue what is taken", async (world) => {
      const taken = world.pick(
        world
          .there()
          .filter((id) => (splitId(id) === undefined) === named)
          .filter((id) => named || (world.spread?.isFoundTaken(id, isPlainShape(shape)) ?? true)),
        pick,
      );
      if (taken === undefined) return;
      const parts = splitId(taken);
      const id = parts === undefined ? taken : joinId({ ...parts, random: (parts.random + 1) % 2 ** 40 });
      world.said = `${describeShape(shape)} as ${id}`;
      await advance(world, 1);
      const made = makeFlow(shape, { now: world.now, makeId: () => id, name: undefined, after: [] });
      await send(world, [{ ...made, jobs: made.jobs.map((one) => ({ ...one, named })) }]);
    });
  });
