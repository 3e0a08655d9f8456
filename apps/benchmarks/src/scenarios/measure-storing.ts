import { statSync } from "node:fs";
import type { ProduceAnswer, ProduceMode } from "../roles/produce.js";
import { startRole } from "../roles/start-role.js";
import type { Cell, Measurement } from "./cell.js";

interface Producer {
  run(): Promise<ProduceAnswer>;
}

/** A process that stores the jobs of a cell once it is told to. */
export async function produceInto(cell: Cell, path: string, mode: ProduceMode): Promise<Producer> {
  const { competitor, durability, jobs, guard, protection } = cell;
  const options = { competitor, path, durability, guard, protection };
  const role = startRole("produce", { ...options, mode, jobs });
  await role.ready;
  return {
    run() {
      role.go();
      return role.answer;
    },
  };
}

export async function measureEnqueue(cell: Cell, path: string, mode: ProduceMode): Promise<Measurement> {
  const { startedAt, endedAt, unfinished } = await (await produceInto(cell, path, mode)).run();
  if (unfinished !== cell.jobs) throw new Error(`stored ${unfinished} of ${cell.jobs} jobs`);
  return { rate: rate(cell.jobs, startedAt, endedAt), latencies: [], loopDelayP999: 0 };
}

/** The files of a queue that nobody has open, over the jobs in it. */
export async function measureBytes(cell: Cell, path: string): Promise<Measurement> {
  const stored = await measureEnqueue(cell, path, "stamped");
  const sizes = [path, `${path}-wal`].map((file) => statSync(file, { throwIfNoEntry: false })?.size ?? 0);
  const bytes = sizes.reduce((sum, size) => sum + size, 0) / cell.jobs;
  return { ...stored, values: { bytes } };
}

/** Jobs a second, from one instant in nanoseconds to another. */
export function rate(jobs: number, startedAt: number, endedAt: number): number {
  return jobs / ((endedAt - startedAt) / 1e9);
}
