import { TimeoutError } from "../errors.js";
import { startTimer } from "../timer.js";
import type { Run } from "./run.js";

/** Aborts the signal of a run when its time is over. */
export class RunTimeout {
  readonly #run: Run;
  readonly #timeoutMs: number;
  readonly #timer: NodeJS.Timeout;
  readonly #endsAt: number;

  constructor(run: Run, timeoutMs: number) {
    this.#run = run;
    this.#timeoutMs = timeoutMs;
    this.#endsAt = performance.now() + timeoutMs;
    run.deadlineAt = run.startedAt + timeoutMs;
    const timer = startTimer(() => this.#abort(), timeoutMs);
    this.#timer = run.host.stays === true ? timer : timer.unref();
  }

  /** The handler has ended: too late, perhaps, though no timer told so while it blocked the event loop. */
  end(): void {
    clearTimeout(this.#timer);
    if (performance.now() > this.#endsAt) this.#abort();
  }

  #abort(): void {
    this.#run.aborting.abort(new TimeoutError(this.#timeoutMs));
  }
}
