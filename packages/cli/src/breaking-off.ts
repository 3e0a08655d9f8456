import { exitCode } from "./exit-code.js";

/** A terminal that hangs up too: Node does not heed `nohup`, and what a kill interrupts is left as it was. */
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Breaks off what can be gone on with, at the first signal; a second one ends the process. */
export class BreakingOff implements Disposable {
  readonly #controller = new AbortController();
  readonly #hear: () => void;

  /** @param say Told once it is broken off. */
  constructor(say: () => void) {
    this.#hear = () => {
      if (this.#controller.signal.aborted) process.exit(exitCode.interrupted);
      say();
      this.#controller.abort();
    };
    for (const signal of SIGNALS) process.on(signal, this.#hear);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  [Symbol.dispose](): void {
    for (const signal of SIGNALS) process.off(signal, this.#hear);
  }
}
