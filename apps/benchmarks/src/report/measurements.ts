import type { Cell, Measurement, ValueName } from "../scenarios/cell.js";
import { median, percentile } from "../statistics.js";

/** What all runs showed, by cell. */
export class Measurements {
  readonly #runs = new Map<Cell, Measurement[]>();

  add(cell: Cell, measurement: Measurement): void {
    const runs = this.#runs.get(cell) ?? [];
    runs.push(measurement);
    this.#runs.set(cell, runs);
  }

  /** Jobs a second, the median of the runs. */
  rate(cell: Cell): number {
    return this.#median(cell, ({ rate }) => rate);
  }

  /** Milliseconds, the median of the runs' percentiles. */
  latency(cell: Cell, share: number): number {
    return this.#median(cell, ({ latencies }) => percentile(latencies, share));
  }

  loopDelay(cell: Cell): number {
    return this.#median(cell, ({ loopDelayP999 }) => loopDelayP999);
  }

  value(cell: Cell, name: ValueName): number {
    return this.#median(cell, ({ values }) => values?.[name] ?? Number.NaN);
  }

  #median(cell: Cell, of: (measurement: Measurement) => number): number {
    return median((this.#runs.get(cell) ?? []).map(of));
  }
}
