/** Nanoseconds of the machine's monotonic clock: the same in every process, exact to about 1 us below 2^53. */
export function nanoseconds(): number {
  return Number(process.hrtime.bigint());
}

/** Resolves after so many milliseconds. */
export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });
}
