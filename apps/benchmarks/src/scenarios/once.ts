/** @throws unless every payload ran exactly once, over all consumers, and nothing is left. */
export function assertExactlyOnce(runs: readonly Uint8Array[], jobs: number, unfinished: number): void {
  let missing = 0;
  let repeated = 0;
  for (let n = 0; n < jobs; n += 1) {
    const count = runs.reduce((sum, each) => sum + (each[n] ?? 0), 0);
    if (count === 0) missing += 1;
    if (count > 1) repeated += 1;
  }
  if (missing + repeated + unfinished === 0) return;
  throw new Error(
    `the run does not count: of ${jobs} jobs ${missing} did not run, ${repeated} ran more than once, ` +
      `${unfinished} have not completed`,
  );
}
