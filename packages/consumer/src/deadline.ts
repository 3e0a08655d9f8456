import { startTimer } from "@taskq/core/engine";

/** A moment to wait for at the latest, which can be brought forward. */
export class Deadline {
  /** Resolves then. */
  readonly reached: Promise<void>;
  #resolve: () => void = () => {};
  #at = Infinity;
  #timer: NodeJS.Timeout | undefined;

  constructor() {
    this.reached = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  /** In so many milliseconds, unless it is sooner already. */
  within(delay: number): void {
    const at = performance.now() + delay;
    if (at >= this.#at) return;
    this.#at = at;
    clearTimeout(this.#timer);
    if (delay <= 0) this.#resolve();
    else this.#timer = startTimer(() => this.#resolve(), delay);
  }

  /** It is not waited for any more, whoever brings it forward: a timer would keep the process from ending. */
  clear(): void {
    clearTimeout(this.#timer);
    this.#at = -Infinity;
  }
}

/** Whether it comes within so many milliseconds. */
export async function comesWithin(delay: number, awaited: Promise<unknown>): Promise<boolean> {
  const deadline = new Deadline();
  deadline.within(delay);
  try {
    return await Promise.race([awaited.then(() => true), deadline.reached.then(() => false)]);
  } finally {
    deadline.clear();
  }
}
