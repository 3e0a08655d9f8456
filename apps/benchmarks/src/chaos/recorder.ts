import { openSync, writeSync } from "node:fs";
import type { TaskContext } from "@taskq/core";
import type { RunReference } from "@taskq/core/storage";
import { nanoseconds } from "../clock.js";

/** When a claim was made: epoch milliseconds. */
export interface ClaimInstants {
  /** As the storage says. */
  readonly at: number;
  /** By the clock of the consumer, before and after. */
  readonly askedAt: number;
  readonly answeredAt: number;
}

/** Writes down what one consumer does, so that it outlives a kill of the consumer. */
export interface Recorder {
  /** The consumer has started. */
  up(): void;
  started(key: string, run: Pick<TaskContext, "id" | "attempt" | "fence">): void;
  ended(key: string, run: Pick<TaskContext, "id" | "attempt" | "fence">): void;
  /** The storage has accepted the outcome of the run: whatever runs the job again from here on is wrong. */
  stored(id: string, attempt: number): void;
  claimed(run: RunReference, instants: ClaimInstants): void;
  /** It was given back unbegun. */
  released(run: RunReference): void;
  /** It was taken from a consumer whose lease was over. */
  reaped(run: RunReference): void;
}

/** One line a record, appended with one write(2) each: what is written survives SIGKILL. */
export function fileRecorder(path: string): Recorder {
  const file = openSync(path, "a");
  const write = (...fields: readonly (string | number)[]): void => {
    writeSync(file, `${fields.join(" ")} ${nanoseconds()}\n`);
  };
  return {
    up: () => write("up"),
    started: (key, { id, attempt, fence }) => write("started", key, id, attempt, fence),
    ended: (key, { id, attempt, fence }) => write("ended", key, id, attempt, fence),
    stored: (id, attempt) => write("stored", id, attempt),
    claimed: ({ id, fence }, { at, askedAt, answeredAt }) =>
      write("claimed", id, fence, at, askedAt, answeredAt),
    released: ({ id, fence }) => write("released", id, fence),
    reaped: ({ id, fence }) => write("reaped", id, fence),
  };
}
