import { nanoseconds, pause } from "../clock.js";
import type { ConsumeAnswer } from "../roles/consume.js";
import type { ProduceAnswer, ProduceMode } from "../roles/produce.js";
import { startRole, type RunningRole } from "../roles/start-role.js";
import { median } from "../statistics.js";
import type { Cell, Measurement } from "./cell.js";
import { produceInto, rate } from "./measure-storing.js";
import { assertExactlyOnce, assertOnceAtMost } from "./once.js";

/** Longer than any run may take. */
const TIMEOUT = 180_000;

interface ConsumingOptions {
  /** How jobs come, from a producer that starts at the same moment; `undefined`: they are there already. */
  readonly mode?: ProduceMode;
  /** Jobs that are there and will not run. */
  readonly left?: number;
}

export async function measureConsuming(
  cell: Cell,
  path: string,
  { mode, left = 0 }: ConsumingOptions,
): Promise<Measurement> {
  // The consumers open first, one after the other, so that nobody meets a file that is just being made.
  const consumers: RunningRole<ConsumeAnswer>[] = [];
  for (let index = 0; index < cell.processes; index += 1) {
    const consumer = consumerOf(cell, path);
    consumers.push(consumer);
    await consumer.ready;
  }
  const source = mode === undefined ? undefined : await produceInto(cell, path, mode);
  const allRun = whenRun(consumers, cell.jobs);
  const startedAt = nanoseconds();
  for (const consumer of consumers) consumer.go();
  // A consumer that waits is what these are about.
  if (mode === "paced" || mode === "round-trip" || mode === "due") await pause(300);
  const produced = await source?.run();
  await allRun;

  const answers: ConsumeAnswer[] = [];
  for (const consumer of consumers) {
    consumer.stop();
    answers.push(await consumer.answer);
  }
  checkRuns(cell, answers, left);
  const endedAt = Math.max(...answers.map(({ lastAt }) => lastAt));
  return {
    rate: rate(cell.jobs, startedAt, endedAt),
    latencies:
      mode === "round-trip" ? (produced?.latencies ?? []) : answers.flatMap(({ latencies }) => latencies),
    loopDelayP999: Math.max(...answers.map(({ loopDelayP999 }) => loopDelayP999)),
    values: valuesOf(answers, produced, endedAt),
  };
}

function consumerOf(cell: Cell, path: string): RunningRole<ConsumeAnswer> {
  const { competitor, durability, workers, prefetch, jobs, backlog, guard, protection } = cell;
  const watchMemory = cell.kind === "memory";
  const options = { competitor, path, durability, guard, protection };
  const given = { ...options, workers, prefetch, jobs, backlog, watchMemory };
  return startRole("consume", given);
}

function checkRuns({ jobs, backlog }: Cell, answers: readonly ConsumeAnswer[], left: number): void {
  const runs = answers.map((answer) => answer.runs);
  const unfinished = (answers.at(-1)?.unfinished ?? 0) - left;
  if (backlog === undefined) assertExactlyOnce(runs, jobs, unfinished);
  else {
    const stored = backlog + answers.reduce((sum, { refilled }) => sum + refilled, 0);
    assertOnceAtMost(runs, stored, unfinished);
  }
}

function valuesOf(
  answers: readonly ConsumeAnswer[],
  produced: ProduceAnswer | undefined,
  endedAt: number,
): Measurement["values"] {
  const memory = answers[0]?.memory ?? [];
  const quarter = Math.ceil(memory.length / 4);
  return {
    ...(produced?.dueAt === undefined ? {} : { due: (endedAt - produced.dueAt) / 1e6 }),
    ...(quarter === 0
      ? {}
      : {
          memory: Math.max(...memory) / 1e6,
          growth: median(memory.slice(-quarter)) / median(memory.slice(0, quarter)),
        }),
  };
}

/** Resolves once as many jobs ran as there are, whichever they were; which they were is checked afterwards. */
function whenRun(consumers: readonly RunningRole<ConsumeAnswer>[], jobs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const counts = consumers.map(() => 0);
    const sum = (): number => counts.reduce((total, count) => total + count, 0);
    const giveUp = setTimeout(() => reject(new Error(`only ${sum()} of ${jobs} jobs ran in time`)), TIMEOUT);
    for (const [index, consumer] of consumers.entries()) {
      consumer.onProgress((count) => {
        counts[index] = count;
        if (sum() < jobs) return;
        clearTimeout(giveUp);
        resolve();
      });
      consumer.answer.catch(reject);
    }
  });
}
