const NOW = Promise.resolve();

/**
 * As `queueMicrotask`, which makes a resource for each call, and takes as long for that as most messages to be read. Nor do fake
 * timers of tests take its place: what was called so would wait for the test, and the test for that.
 */
export function later(call: () => void): void {
  void NOW.then(call);
}

/** As `process.nextTick`, of which the same is true: it is the one that was there when this was loaded. */
export const nextTick: (call: () => void) => void = process.nextTick.bind(process);
