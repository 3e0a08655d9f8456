import type { Cell } from "./cell.js";

/** How much is measured: the share of the usual number of jobs, and of latencies. */
export interface Volume {
  readonly jobs: number;
  readonly latencies: number;
}

type Given = Pick<Cell, "competitor" | "kind" | "jobs"> & Partial<Cell>;

/** A cell with its usual settings where it does not say; of `jobs`, the share that is measured. */
export function cell(volume: Volume, { jobs, ...given }: Given): Cell {
  const base = { durability: "normal", workers: 10, prefetch: undefined, processes: 1 } as const;
  return { ...base, ...given, jobs: shareOf(volume, jobs) };
}

/** Jobs of which the latencies are measured, by processes that have just started or have had some to get warm by. */
export function latencyCell(volume: Volume, cold: Omit<Given, "jobs">, isWarm: boolean): Cell {
  const { latencies } = volume;
  const warmUp = isWarm ? latencies * WARM_UP : 0;
  const measured = { ...cell(volume, { ...cold, jobs: 0 }), jobs: latencies + warmUp };
  return isWarm ? { ...measured, warmUp } : measured;
}

/** Of the latencies measured, so many times as many jobs go before: some thousand until V8 has compiled what they take. */
const WARM_UP = 2.5;

/** The share of a number of jobs that is measured. */
export function shareOf(volume: Volume, jobs: number): number {
  return Math.max(20, Math.round(jobs * volume.jobs));
}
