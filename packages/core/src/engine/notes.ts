/** Progress and log lines, kept with the job. */
import { TaskqError } from "../errors.js";
import type { ClaimedJob } from "../storage.js";
import type { Engine } from "./engine-types.js";
import { noteContext } from "./sources.js";

/** Who writes a note. */
export interface NotingRun {
  readonly engine: Engine;
  readonly claimed: ClaimedJob;
}

/** @throws `TASKQ_LEASE_LOST` when the run is no longer this consumer's */
export async function storeProgress(run: NotingRun, value: unknown): Promise<void> {
  const { engine, claimed } = run;
  const stored = await storeNote(run, "progress", value);
  if (!stored) {
    throw new TaskqError("TASKQ_LEASE_LOST", "the progress was refused: this run is no longer the job's");
  }
  if (!engine.events.wants("progress")) return;
  const { id, task, attempt } = claimed;
  engine.events.emit("progress", { id, task, attempt, time: new Date(engine.time.now()), value });
}

/** Answers whether the run was still the job's. */
export function storeNote(
  { engine, claimed }: NotingRun,
  kind: "progress" | "log",
  value: unknown,
): Promise<boolean> {
  return engine.storage.note({
    queue: engine.name,
    run: { id: claimed.id, fence: claimed.fence },
    kind,
    bytes: engine.serializer.encode(value, noteContext(engine, claimed, kind)),
    now: engine.time.requestNow(),
  });
}
