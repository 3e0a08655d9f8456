import type { RunReference } from "@taskq/core/storage";
import type { ClaimInstants } from "./recorder.js";

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

/** One claim of a job with gates. */
export interface RecordedClaim extends RunReference, ClaimInstants {
  /** It was given back unbegun. */
  released: boolean;
}

/** What consumers wrote down, one after the other. Instants are nanoseconds but for those of claims. */
export class Records {
  readonly runs: RecordedRun[] = [];
  /** By `runName`. */
  readonly claims = new Map<string, RecordedClaim>();
  /** When a run was taken from a consumer whose lease was over, by `runName`. */
  readonly reaped = new Map<string, number>();
  /** When each consumer had started, by its number. */
  readonly up = new Map<number, number>();

  /** Reads what one consumer wrote. A last line that a kill cut short is not counted. */
  read(text: string, consumer: number): void {
    const latest = new Map<string, RecordedRun>();
    for (const line of text.split("\n").slice(0, -1)) {
      const [kind, ...fields] = line.split(" ");
      if (kind === "started") {
        const run = runOf(fields, consumer);
        this.runs.push(run);
        latest.set(run.id, run);
      } else if (kind === "ended") {
        const [, id = "", , fence, at] = fields;
        const run = latest.get(id);
        if (run?.fence === Number(fence)) run.endedAt = Number(at);
      } else if (kind === "stored") {
        const run = latest.get(fields[0] ?? "");
        if (run !== undefined && run.attempt === Number(fields[1])) run.stored = true;
      } else if (kind === "up") this.up.set(consumer, Number(fields[0]));
      else this.#readOfStorage(kind, fields);
    }
  }

  #readOfStorage(kind: string | undefined, fields: readonly string[]): void {
    const [id = "", ...numbers] = fields;
    const [fence = 0, at = 0, askedAt = 0, answeredAt = 0] = numbers.map(Number);
    const name = runName({ id, fence });
    if (kind === "claimed") {
      this.claims.set(name, { id, fence, at, askedAt, answeredAt, released: false });
    } else if (kind === "released") {
      const claim = this.claims.get(name);
      if (claim !== undefined) claim.released = true;
    } else if (kind === "reaped") this.reaped.set(name, at);
  }
}

/** Tells one run from every other. */
export function runName({ id, fence }: RunReference): string {
  return `${id} ${fence}`;
}

function runOf(fields: readonly string[], consumer: number): RecordedRun {
  const [key = "", id = "", attempt, fence, at] = fields;
  return {
    key,
    id,
    attempt: Number(attempt),
    fence: Number(fence),
    consumer,
    startedAt: Number(at),
    endedAt: undefined,
    stored: false,
  };
}
