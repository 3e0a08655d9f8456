import { abortWith } from "../on-abort.js";
import { startTimer } from "../timer.js";
import type { Engine } from "./engine-types.js";
import { unlessAborted } from "./unless-aborted.js";

/** What a call may take beyond the time of its caller, in milliseconds: one with no time to wait is to have its answer. */
const LONGEST_CALL = 250;

interface PatienceOptions {
  /** The longest to wait, in milliseconds. */
  readonly timeout: number | undefined;
  readonly signal: AbortSignal | undefined;
}

/** How long somebody waits for what may need several calls, of which each has a longer time of its own where the storage is away. */
export class Patience {
  readonly #until: number;
  readonly #signal: AbortSignal | undefined;
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #forget: (() => void) | undefined;

  /** @param late what calls reject with that are under way when the time is over */
  constructor({ timeout, signal }: PatienceOptions, late: () => Error) {
    this.#until = timeout === undefined ? Infinity : performance.now() + timeout;
    this.#signal = signal;
    if (timeout === undefined) return;
    const over = new AbortController();
    this.#timer = startTimer(() => over.abort(late()), timeout + LONGEST_CALL);
    this.#forget = abortWith(over, signal);
    this.#signal = over.signal;
  }

  /** Milliseconds that are left of the time. */
  get left(): number {
    return this.#until - performance.now();
  }

  /** What a call answers, unless it takes too long. */
  of<T>(call: Promise<T>): Promise<T> {
    return unlessAborted(call, this.#signal);
  }

  /** Nothing is waited for any more. */
  end(): void {
    clearTimeout(this.#timer);
    this.#forget?.();
  }
}

/** Opens the queue and does what waits, both within the time of its caller. @param late what it rejects with when that is over */
export async function patiently<T>(
  engine: Engine,
  options: PatienceOptions,
  late: () => Error,
  work: (patience: Patience) => Promise<T>,
): Promise<T> {
  const patience = new Patience(options, late);
  try {
    const opening = engine.open();
    if (opening !== undefined) await patience.of(opening);
    return await work(patience);
  } finally {
    patience.end();
  }
}
