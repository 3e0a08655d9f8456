import { openSync, writeSync } from "node:fs";
import type { TaskContext } from "@taskq/core";
import { nanoseconds } from "../clock.js";

/** Writes down what one consumer does, so that it outlives a kill of the consumer. */
export interface Recorder {
  started(key: string, run: Pick<TaskContext, "id" | "attempt" | "fence">): void;
  ended(key: string, run: Pick<TaskContext, "id" | "attempt" | "fence">): void;
  /** The storage has accepted the outcome of the run: whatever runs the job again from here on is wrong. */
  stored(id: string, attempt: number): void;
}

/** One line a record, appended with one write(2) each: what is written survives SIGKILL. */
export function fileRecorder(path: string): Recorder {
  const file = openSync(path, "a");
  const write = (...fields: readonly (string | number)[]): void => {
    writeSync(file, `${fields.join(" ")} ${nanoseconds()}\n`);
  };
  return {
    started: (key, { id, attempt, fence }) => write("started", key, id, attempt, fence),
    ended: (key, { id, attempt, fence }) => write("ended", key, id, attempt, fence),
    stored: (id, attempt) => write("stored", id, attempt),
  };
}
