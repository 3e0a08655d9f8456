import type { CompetitorName, Durability, EachGuard, Guard, Protection } from "../peers/competitor.js";

/** One thing measured of one competitor. */
export interface Cell {
  readonly competitor: CompetitorName;
  readonly kind:
    | "enqueue-awaited"
    | "enqueue-bulk"
    | "enqueue-tick"
    | "process"
    | "pipe"
    | "pickup"
    | "round-trip"
    | "revoke"
    | "backlog"
    | "stored-bytes"
    | "due"
    | "memory"
    | "idle";
  readonly durability: Durability;
  /** Of one consumer. */
  readonly workers: number;
  /** `undefined`: the competitor's default. */
  readonly prefetch: number | undefined;
  /** Consumer processes. */
  readonly processes: number;
  readonly jobs: number;
  /** Of `pickup` and `round-trip`: of the jobs, the first so many, which are not measured. */
  readonly warmUp?: number;
  /** Of `backlog`: jobs that are there all the time. */
  readonly backlog?: number;
  /** What each job is guarded by. */
  readonly guard?: Guard;
  /** How long an idle consumer is watched. */
  readonly seconds?: number;
  /** How its messages are protected. */
  readonly protection?: Protection;
  /** How many jobs are parked all the time, and at what. */
  readonly parked?: { readonly guard: EachGuard; readonly jobs: number };
}

/**
 * `bytes` a waiting job takes; `due`: milliseconds from the instant at which all jobs became due until the last began;
 * `memory`: the most resident megabytes; `growth`: the median of their last quarter against that of their first one;
 * `commands` that an idle consumer sends a second; `serverCpu` and `consumerCpu`: microseconds that one job takes, whatever else the
 * machine does meanwhile.
 */
export type ValueName = "bytes" | "due" | "memory" | "growth" | "commands" | "serverCpu" | "consumerCpu";

/** What one run of a cell showed. */
export interface Measurement {
  /** Jobs a second. */
  readonly rate: number;
  /** Milliseconds, where latencies are measured. */
  readonly latencies: readonly number[];
  /** Milliseconds; the worst of its consumers. */
  readonly loopDelayP999: number;
  readonly values?: Readonly<Partial<Record<ValueName, number>>> | undefined;
}

/** What tells one cell from another. */
export function cellName(cell: Cell): string {
  const consuming = ["process", "pipe", "backlog"].includes(cell.kind);
  return [
    cell.kind,
    cell.competitor,
    cell.durability === "full" ? "FULL" : undefined,
    consuming ? `c=${cell.workers}` : undefined,
    cell.prefetch === undefined ? undefined : `prefetch ${cell.prefetch}`,
    cell.warmUp === undefined ? undefined : "warm",
    cell.backlog === undefined ? undefined : `at ${cell.backlog}`,
    cell.guard,
    cell.protection,
    cell.parked === undefined ? undefined : `behind ${cell.parked.jobs} parked`,
    cell.processes > 1 ? `${cell.processes} processes` : undefined,
  ]
    .filter((part) => part !== undefined)
    .join(" ");
}
