/** @throws unless every payload ran exactly once, over all consumers, and nothing is left. */
export function assertExactlyOnce(runs: readonly Uint8Array[], jobs: number, unfinished: number): void {
  const { missing, repeated } = countRuns(runs, jobs);
  if (missing + repeated + unfinished === 0) return;
  throw new Error(
    `the run does not count: of ${jobs} jobs ${missing} did not run, ${repeated} ran more than once, ` +
      `${unfinished} have not completed`,
  );
}

/** @throws unless no payload ran twice, over all consumers, and those that are left are all that did not run. */
export function assertOnceAtMost(runs: readonly Uint8Array[], stored: number, unfinished: number): void {
  const { missing, repeated } = countRuns(runs, stored);
  if (repeated === 0 && missing === unfinished) return;
  throw new Error(
    `the run does not count: of ${stored} jobs ${repeated} ran more than once, ${missing} did not run and ` +
      `${unfinished} have not completed`,
  );
}

function countRuns(
  runs: readonly Uint8Array[],
  jobs: number,
): { readonly missing: number; readonly repeated: number } {
  let missing = 0;
  let repeated = 0;
  for (let n = 0; n < jobs; n += 1) {
    const count = runs.reduce((sum, each) => sum + (each[n] ?? 0), 0);
    if (count === 0) missing += 1;
    if (count > 1) repeated += 1;
  }
  return { missing, repeated };
}
