import type { ProduceAnswer, ProduceMode } from "../roles/produce.js";
import { startRole } from "../roles/start-role.js";
import type { Cell, Measurement } from "./cell.js";
import type { Place } from "./place.js";

interface Producer {
  run(): Promise<ProduceAnswer>;
}

/** A process that stores the jobs of a cell once it is told to. */
export async function produceInto(cell: Cell, place: Place, mode: ProduceMode): Promise<Producer> {
  const { competitor, durability, jobs, warmUp, guard, protection } = cell;
  const options = { competitor, path: place.path, durability, guard, protection };
  const role = startRole("produce", { ...options, mode, jobs, warmUp }, place.cpu);
  await role.ready;
  return {
    run() {
      role.go();
      return role.answer;
    },
  };
}

export async function measureEnqueue(cell: Cell, place: Place, mode: ProduceMode): Promise<Measurement> {
  const { startedAt, endedAt, unfinished } = await (await produceInto(cell, place, mode)).run();
  if (unfinished !== cell.jobs) throw new Error(`stored ${unfinished} of ${cell.jobs} jobs`);
  return { rate: rate(cell.jobs, startedAt, endedAt), latencies: [], loopDelayP999: 0 };
}

/** All that a queue takes that nobody has open, over the jobs in it. */
export async function measureBytes(cell: Cell, place: Place): Promise<Measurement> {
  const stored = await measureEnqueue(cell, place, "stamped");
  const bytes = (await place.size()) / cell.jobs;
  return { ...stored, values: { bytes } };
}

/** Jobs a second, from one instant in nanoseconds to another. */
export function rate(jobs: number, startedAt: number, endedAt: number): number {
  return jobs / ((endedAt - startedAt) / 1e9);
}
