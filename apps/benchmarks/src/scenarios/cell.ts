import type { CompetitorName, Durability } from "../peers/competitor.js";

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
    | "round-trip";
  readonly durability: Durability;
  /** Of one consumer. */
  readonly workers: number;
  /** `undefined`: the competitor's default. */
  readonly prefetch: number | undefined;
  /** Consumer processes. */
  readonly processes: number;
  readonly jobs: number;
}

/** What one run of a cell showed. */
export interface Measurement {
  /** Jobs a second. */
  readonly rate: number;
  /** Milliseconds, where latencies are measured. */
  readonly latencies: readonly number[];
  /** Milliseconds; the worst of its consumers. */
  readonly loopDelayP999: number;
}

/** What tells one cell from another. */
export function cellName(cell: Cell): string {
  const consuming = cell.kind === "process" || cell.kind === "pipe";
  return [
    cell.kind,
    cell.competitor,
    cell.durability === "full" ? "FULL" : undefined,
    consuming ? `c=${cell.workers}` : undefined,
    cell.prefetch === undefined ? undefined : `prefetch ${cell.prefetch}`,
    cell.processes > 1 ? `${cell.processes} processes` : undefined,
  ]
    .filter((part) => part !== undefined)
    .join(" ");
}
