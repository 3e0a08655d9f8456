/** One run of one job, as its consumer wrote it down. */
export interface RecordedRun {
  readonly key: string;
  readonly id: string;
  readonly attempt: number;
  readonly fence: number;
  /** The consumer's number. */
  readonly consumer: number;
  readonly startedAt: number;
  /** `undefined`: the consumer was gone before. */
  endedAt: number | undefined;
  /** The consumer heard that the outcome is stored. */
  stored: boolean;
}

/** What one consumer wrote. A last line that a kill cut short is not counted. */
export function parseRuns(text: string, consumer: number): RecordedRun[] {
  const runs: RecordedRun[] = [];
  const latest = new Map<string, RecordedRun>();
  for (const line of text.split("\n").slice(0, -1)) {
    const [kind, ...fields] = line.split(" ");
    if (kind === "stored") {
      const run = latest.get(fields[0] ?? "");
      if (run !== undefined && run.attempt === Number(fields[1])) run.stored = true;
      continue;
    }
    const [key = "", id = "", attempt, fence, at] = fields;
    if (kind === "started") {
      const run: RecordedRun = {
        key,
        id,
        attempt: Number(attempt),
        fence: Number(fence),
        consumer,
        startedAt: Number(at),
        endedAt: undefined,
        stored: false,
      };
      runs.push(run);
      latest.set(id, run);
    } else {
      const run = latest.get(id);
      if (run?.fence === Number(fence)) run.endedAt = Number(at);
    }
  }
  return runs;
}
