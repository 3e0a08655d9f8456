import fc from "fast-check";
import { index, sometimes } from "../arbitraries.js";
import { KNOWN_TASKS, LEASE, OWNERS, QUEUE, type Build, type Run, type World } from "../world.js";
import { Move } from "./move.js";
import { describeSettling, prepare, settle, type SettleAsked, type Settling } from "./settling.js";
import { runStep } from "./run-step.js";
import { makeStep, type Unnumbered } from "./make-step.js";

interface ClaimAsked {
  readonly begin: number;
  readonly ahead: number;
  readonly only: readonly number[] | undefined;
}

interface StepAsked {
  readonly owner: number;
  readonly tasks: number;
  readonly settle: readonly SettleAsked[];
  /** How many of the runs claimed ahead have begun. */
  readonly begun: number;
  readonly claim: ClaimAsked | undefined;
}

const claim: fc.Arbitrary<ClaimAsked> = fc.record<ClaimAsked>({
  begin: fc.constantFrom(0, 1, 2, 3, 5),
  ahead: fc.constantFrom(0, 0, 1, 2),
  only: sometimes(fc.array(index, { minLength: 1, maxLength: 3 }), 8),
});

/** Mostly the first, so that runs are found again. */
export const anOwner: fc.Arbitrary<number> = fc.constantFrom(0, 0, 0, 0, 1, 2);

/** Settles ended runs and claims others. */
export const step: fc.Arbitrary<Move> = fc
  .record<StepAsked>({
    owner: anOwner,
    tasks: fc.constantFrom(0, 0, 1, 2),
    settle: fc.array(settle, { maxLength: 4 }),
    begun: fc.nat({ max: 2 }),
    claim: fc.option(claim, { nil: undefined, freq: 5 }),
  })
  .map((asked) => new Move("step", async (world) => playStep(world, asked)));

async function playStep(world: World, asked: StepAsked): Promise<void> {
  const owner = OWNERS[asked.owner] ?? OWNERS[0];
  const prepared = asked.settle.map((one) => prepare(world, owner, one)).filter((one) => one !== undefined);
  const settling = world.spread === undefined ? prepared : onceWhereAdding(prepared);
  const begun = begunOf(world, owner, asked.begun, settling);
  const ids = asked.claim?.only
    ?.map((pick) => world.pick(world.there(), pick))
    .filter((id) => id !== undefined);
  const tasks = KNOWN_TASKS[asked.tasks] ?? [];
  const { now } = world;
  const build: Build<Unnumbered> = (side) => ({
    queue: QUEUE,
    owner,
    tasks,
    settled: settling.map(({ run, settlement }) => ({ ...settlement, fence: run.fence[side] })),
    begun: begun.map((run) => ({ id: run.id, fence: run.fence[side] })),
    claim:
      asked.claim === undefined
        ? undefined
        : { begin: asked.claim.begin, ahead: asked.claim.ahead, lease: LEASE, ids },
    now,
  });
  world.said = describe(owner, asked, settling, ids);
  await makeStep(world, build);
  for (const run of begun) run.begun = true;
  world.cover("begun: marked", begun.length);
}

/** Several partitions store what a run adds before it is settled: not one that is settled twice at once, which nobody does. */
function onceWhereAdding(all: readonly Settling[]): readonly Settling[] {
  return all.filter(
    ({ run, settlement }, at) =>
      settlement.add === undefined || !all.slice(0, at).some((before) => before.run === run),
  );
}

/** Outcomes of runs that need not have begun. */
const GIVEN_BACK: ReadonlySet<string> = new Set(["released", "postponed"]);

/** A run is marked as begun before it ends by its handler. */
function begunOf(world: World, owner: string, count: number, settling: readonly Settling[]): readonly Run[] {
  const ahead = world.heldBy(owner).filter((run) => !run.begun);
  const ending = new Set(
    settling.filter(({ asked }) => !GIVEN_BACK.has(asked.outcome)).map(({ run }) => run),
  );
  return ahead.filter((run, at) => at < count || ending.has(run));
}

function describe(
  owner: string,
  asked: StepAsked,
  settling: readonly Settling[],
  ids: readonly string[] | undefined,
): string {
  const words = [owner, ...settling.map(describeSettling)];
  if (asked.claim !== undefined) {
    const only = ids === undefined ? "" : ` of ${ids.join(" ")}`;
    words.push(`claim ${asked.claim.begin} + ${asked.claim.ahead} ahead, tasks ${asked.tasks}${only}`);
  }
  return words.join("; ");
}

/** The last step of an owner again, as by one whose answer got lost. */
export const stepAgain: fc.Arbitrary<Move> = anOwner.map(
  (at) =>
    new Move("step again", async (world) => {
      const owner = OWNERS[at] ?? OWNERS[0];
      const last = world.lastSteps.get(owner);
      if (last === undefined) return;
      world.said = owner;
      await runStep(world, owner, (side) => ({ ...last(side), now: world.now }), true);
    }),
);
