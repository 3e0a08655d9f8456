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

/** What is kept for a run that its handler need not wait for: the run does, and before it ends. */
export class Keeping {
  #left = 0;
  #ended: (() => void) | undefined;

  /** One that rejects, and that the handler does not wait for, ends no process: it is the storage that was away, or the run that was over. */
  add(kept: Promise<void>): Promise<void> {
    this.#left += 1;
    kept.then(this.#one, this.#one);
    return kept;
  }

  readonly #one = (): void => {
    this.#left -= 1;
    if (this.#left === 0) this.#ended?.();
  };

  /** Resolves once nothing is under way; `undefined`: nothing is. */
  ended(): Promise<void> | undefined {
    if (this.#left === 0) return undefined;
    return new Promise((resolve) => {
      this.#ended = resolve;
    });
  }
}

/** Rejects with `TASKQ_LEASE_LOST` when the run is no longer this consumer's, with the serializer's error for what cannot be kept. */
export function storeProgress(run: NotingRun, keeping: Keeping, value: unknown): Promise<void> {
  let stored: Promise<boolean>;
  try {
    stored = storeNote(run, "progress", value);
  } catch (error) {
    return Promise.reject(error);
  }
  return keeping.add(tellProgress(run, stored, value));
}

async function tellProgress(
  { engine, claimed }: NotingRun,
  stored: Promise<boolean>,
  value: unknown,
): Promise<void> {
  if (!(await stored)) {
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
