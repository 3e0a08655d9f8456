import { BEAT } from "./tasks.js";
import type { RecordedRun } from "./records.js";

/** A gate, and the most runs that may hold it at a time. */
export interface Gate {
  readonly name: string;
  readonly max: number;
}

/** What was found of gates and of the schedule; each list must be empty. */
export interface GatesVerdict {
  /** Runs that began while others held their gate. */
  readonly together: readonly string[];
  /** Instants of the schedule, by key, that made several jobs. */
  readonly ticksTwice: readonly string[];
  /** Jobs that the schedule made. */
  readonly ticks: number;
}

/** When each consumer that was killed was gone, in nanoseconds of the clock of the records. */
export type Deaths = ReadonlyMap<number, number>;

/** Judges gates by the records: a run holds its gate from its start until its end, or until its consumer is gone. */
export function judgeGates(
  gateOf: ReadonlyMap<string, Gate>,
  runs: readonly RecordedRun[],
  deaths: Deaths,
): GatesVerdict {
  const byGate = new Map<string, { gate: Gate; runs: RecordedRun[] }>();
  for (const run of runs) {
    const gate = gateOf.get(run.key);
    if (gate === undefined) continue;
    const known = byGate.get(gate.name);
    if (known === undefined) byGate.set(gate.name, { gate, runs: [run] });
    else known.runs.push(run);
  }
  const together: string[] = [];
  for (const { gate, runs: ofGate } of byGate.values()) {
    ofGate.sort((a, b) => a.startedAt - b.startedAt);
    together.push(...tooMany(gate, ofGate, deaths));
  }
  return { together, ...judgeTicks(runs) };
}

function tooMany({ max }: Gate, runs: readonly RecordedRun[], deaths: Deaths): string[] {
  const found: string[] = [];
  let holders: RecordedRun[] = [];
  for (const run of runs) {
    holders = holders.filter((holder) => endOf(holder, deaths) > run.startedAt);
    if (holders.length >= max) found.push(run.key);
    holders.push(run);
  }
  return found;
}

function endOf(run: RecordedRun, deaths: Deaths): number {
  return run.endedAt ?? deaths.get(run.consumer) ?? Infinity;
}

function judgeTicks(runs: readonly RecordedRun[]): Pick<GatesVerdict, "ticks" | "ticksTwice"> {
  const ids = new Map<string, Set<string>>();
  for (const { key, id } of runs) {
    if (!key.startsWith(BEAT)) continue;
    ids.set(key, (ids.get(key) ?? new Set()).add(id));
  }
  const ticksTwice = [...ids].filter(([, ofInstant]) => ofInstant.size > 1).map(([key]) => key);
  return { ticks: [...ids.values()].reduce((sum, { size }) => sum + size, 0), ticksTwice };
}
