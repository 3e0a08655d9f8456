/** Random sequences of moves, made on a storage and on a reference, which must not be told apart. */
import fc from "fast-check";
import { Context } from "../context.js";
import { contractOf, type Fixture } from "../fixture.js";
import { checkInvariants } from "../invariants.js";
import type { Runner } from "../storage-suite.js";
import { Coverage } from "./coverage.js";
import { flush, passTime } from "./moves/advance.js";
import { keys, schedules, take, tick, values } from "./moves/beside.js";
import { enqueue, enqueueAgain, enqueueTaken } from "./moves/enqueue.js";
import { crashLoop, reap, renew } from "./moves/leases.js";
import type { Move, NoModel } from "./moves/move.js";
import { step, stepAgain } from "./moves/step.js";
import { amend, control, explain, list, note } from "./moves/users.js";
import { drain } from "./drain.js";
import { purging } from "./purging.js";
import { Spread } from "./spread.js";
import { KEPT, QUEUE, World } from "./world.js";

export interface ModelSuiteOptions {
  readonly runner: Runner;
  /** Name of the storage. */
  readonly name: string;
  /** Makes a fresh, empty store; called for each sequence. */
  readonly create: () => Promise<Fixture>;
  /** The storage that is known to be right: `memoryStorage()` of `@taskq/memory`. */
  readonly reference: () => Promise<Fixture>;
  /** Sequences of moves. @default the environment's `TASKQ_MODEL_RUNS`, or 300 */
  readonly runs?: number | undefined;
  /** The longest sequence. @default 60 */
  readonly moves?: number | undefined;
  /** @default the environment's `TASKQ_MODEL_SEED`, or a fixed one */
  readonly seed?: number | undefined;
  /** It spreads plain jobs over several partitions: what is documented not to hold across them is not asked for. */
  readonly isSpread?: boolean | undefined;
}

const RUNS = 300;
const MOVES = 60;
const SEED = 20_350_101;
/** Sequences of one test, so that a long run shows how far it is. */
const RUNS_PER_TEST = 50;
/** Enough to shrink a long sequence, in milliseconds. */
const TIMEOUT = 600_000;

/** Each kind of move, as often as it stands here. */
const MOVES_BY_WEIGHT: readonly (readonly [number, fc.Arbitrary<Move>])[] = [
  [12, enqueue],
  [1, enqueueAgain],
  [1, enqueueTaken],
  [20, step],
  [3, stepAgain],
  [3, renew],
  [1, reap],
  [1, crashLoop],
  [5, amend],
  [3, control],
  [1, note],
  [1, explain],
  [1, list],
  [4, schedules],
  [5, tick],
  [2, values],
  [4, keys],
  [3, take],
  [3, passTime],
];

/**
 * Declares tests that make thousands of random sequences of moves in virtual time on a storage and on the reference:
 * after every move both must have answered the same, and read the same; each purges after every move. A sequence that tells them apart is shrunk,
 * and the list of its moves printed. The last test fails if some move never did anything in the whole run; with fewer sequences than by
 * default there is none.
 *
 * @example
 * modelSuite({
 *   runner: { describe, test },
 *   name: "sqlite",
 *   create: async () => sqliteFixture(),
 *   reference: async () => memoryFixture(),
 * });
 */
export function modelSuite(options: ModelSuiteOptions): void {
  const { describe, test } = options.runner;
  const runs = options.runs ?? fromEnvironment("TASKQ_MODEL_RUNS") ?? RUNS;
  const seed = options.seed ?? fromEnvironment("TASKQ_MODEL_SEED") ?? SEED;
  const coverage = new Coverage();
  describe(`${options.name} storage beside the reference`, () => {
    for (let first = 0; first < runs; first += RUNS_PER_TEST) {
      const count = Math.min(RUNS_PER_TEST, runs - first);
      const title = `sequences ${first + 1} to ${first + count} of ${runs} leave both alike, seed ${seed + first}`;
      test(title, () => compare(options, coverage, count, seed + first), TIMEOUT);
    }
    if (runs >= RUNS) test("every move did something", async () => coverage.mustBeComplete());
  });
}

async function compare(
  options: ModelSuiteOptions,
  coverage: Coverage,
  numRuns: number,
  seed: number,
): Promise<void> {
  const property = fc.asyncProperty(sequences(options.moves ?? MOVES), (moves) =>
    makeMoves(options, coverage, moves),
  );
  await fc.assert(property, { numRuns, seed });
}

type Sequence = Iterable<fc.AsyncCommand<NoModel, World>>;

function sequences(maxCommands: number): fc.Arbitrary<Sequence> {
  const move = fc.oneof(...MOVES_BY_WEIGHT.map(([weight, arbitrary]) => ({ weight, arbitrary })), {
    weight: 1,
    arbitrary: fc.oneof({ weight: 4, arbitrary: passTime }, { weight: 1, arbitrary: flush }),
  });
  return fc.commands<NoModel, World, false>([move], { maxCommands, size: "max" });
}

async function makeMoves(options: ModelSuiteOptions, coverage: Coverage, moves: Sequence): Promise<void> {
  const tested = await options.create();
  const reference = await options.reference();
  const world = new World(
    { reference: purging(contractOf(reference.storage)), tested: purging(contractOf(tested.storage)) },
    coverage,
    options.isSpread === true ? new Spread() : undefined,
  );
  try {
    const retention = { completed: { for: KEPT, max: 1e6 }, failed: { for: KEPT, max: 1e6 } };
    for (const storage of Object.values(world.storages)) {
      await storage.open({ queue: QUEUE, retention, now: world.now });
    }
    await world.feed.read(world);
    await fc.asyncModelRun(() => ({ model: {}, real: world }), moves);
    await drain(world);
    world.feed.check(world);
    await scan(world);
  } catch (error) {
    throw new Error(`after the moves\n  ${world.journal.join("\n  ")}\n${String(error)}`, { cause: error });
  } finally {
    await reference.close();
    await tested.close();
  }
}

/** What must hold in every store, in the one that is tested. */
async function scan(world: World): Promise<void> {
  const context = new Context(world.storages.tested, async () => world.storages.tested);
  context.queue = QUEUE;
  context.now = world.now;
  await checkInvariants(context);
}

function fromEnvironment(name: string): number | undefined {
  const value = process.env[name];
  if (value === undefined || value === "") return undefined;
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw new RangeError(`${name}: expected an integer, got "${value}"`);
  return number;
}
