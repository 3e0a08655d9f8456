import { join } from "node:path";
import { pause } from "../clock.js";
import type { ConsumeAnswer } from "../roles/consume.js";
import type { ProduceAnswer, ProduceMode } from "../roles/produce.js";
import { startRole, type RunningRole } from "../roles/start-role.js";
import { scratchFolder } from "../scratch-folder.js";
import { nanoseconds } from "../clock.js";
import type { Cell, Measurement } from "./cell.js";
import { assertExactlyOnce } from "./once.js";

/** Longer than any run may take. */
const TIMEOUT = 180_000;

/** Measures a cell once, in a fresh folder, each role in a fresh process. @throws if not every job ran exactly once */
export async function measure(cell: Cell, directory: string): Promise<Measurement> {
  using folder = scratchFolder(directory);
  const path = join(folder.path, "queue.db");
  switch (cell.kind) {
    case "enqueue-awaited":
      return await measureEnqueue(cell, path, "awaited");
    case "enqueue-bulk":
      return await measureEnqueue(cell, path, "bulk");
    case "enqueue-tick":
      return await measureEnqueue(cell, path, "tick");
    case "process": {
      await (await producer(cell, path, "bulk")).run();
      return await measureConsuming(cell, path, undefined);
    }
    case "pipe":
      return await measureConsuming(cell, path, "server");
    case "pickup":
      return await measureConsuming(cell, path, "paced");
    case "round-trip":
      return await measureConsuming(cell, path, "round-trip");
  }
}

async function measureEnqueue(cell: Cell, path: string, mode: ProduceMode): Promise<Measurement> {
  const { startedAt, endedAt, unfinished } = await (await producer(cell, path, mode)).run();
  if (unfinished !== cell.jobs) throw new Error(`stored ${unfinished} of ${cell.jobs} jobs`);
  return { rate: rate(cell.jobs, startedAt, endedAt), latencies: [], loopDelayP999: 0 };
}

/** Jobs that are there already, or come from a producer that starts at the same moment. */
async function measureConsuming(
  cell: Cell,
  path: string,
  mode: ProduceMode | undefined,
): Promise<Measurement> {
  // The consumers open first, one after the other, so that nobody meets a file that is just being made.
  const consumers: RunningRole<ConsumeAnswer>[] = [];
  for (let index = 0; index < cell.processes; index += 1) {
    const { competitor, durability, workers, prefetch, jobs } = cell;
    const consumer = startRole("consume", { competitor, path, durability, workers, prefetch, jobs });
    consumers.push(consumer);
    await consumer.ready;
  }
  const source = mode === undefined ? undefined : await producer(cell, path, mode);
  const allRun = whenRun(consumers, cell.jobs);
  const startedAt = nanoseconds();
  for (const consumer of consumers) consumer.go();
  // A consumer that waits is what pickup and round trip are about.
  if (mode === "paced" || mode === "round-trip") await pause(300);
  const produced = await source?.run();
  await allRun;

  const answers: ConsumeAnswer[] = [];
  for (const consumer of consumers) {
    consumer.stop();
    answers.push(await consumer.answer);
  }
  const left = answers.at(-1)?.unfinished ?? 0;
  assertExactlyOnce(
    answers.map(({ runs }) => runs),
    cell.jobs,
    left,
  );
  const endedAt = Math.max(...answers.map(({ lastAt }) => lastAt));
  return {
    rate: rate(cell.jobs, startedAt, endedAt),
    latencies:
      mode === "round-trip" ? (produced?.latencies ?? []) : answers.flatMap(({ latencies }) => latencies),
    loopDelayP999: Math.max(...answers.map(({ loopDelayP999 }) => loopDelayP999)),
  };
}

interface Producer {
  run(): Promise<ProduceAnswer>;
}

async function producer(cell: Cell, path: string, mode: ProduceMode): Promise<Producer> {
  const { competitor, durability, jobs } = cell;
  const role = startRole("produce", { competitor, path, durability, mode, jobs });
  await role.ready;
  return {
    run() {
      role.go();
      return role.answer;
    },
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

function rate(jobs: number, startedAt: number, endedAt: number): number {
  return jobs / ((endedAt - startedAt) / 1e9);
}
