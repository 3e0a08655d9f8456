// `npm test`: prepares the clone, runs every package's tests one package at a time (some race processes against
// each other and want the machine), adds up what they report. Every failed test is named once more at the end, with what
// it said, for the reader of a long log that was cut. The last line is the sum.
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join, relative } from "node:path";
import { ensureServer, howToGetOne } from "./redis-server.mjs";
import { main, prepare, root, run, say } from "./setup.mjs";
import { workspacePackages } from "./workspace.mjs";

/** The most lines of a failed test's message that are repeated at the end; all of it stands where it failed. */
const REPEATED_LINES = 12;

const failedIn = (file) => file.assertionResults.filter(({ status }) => status === "failed");

/** Whether a file failed, and none of its tests: it did not load. */
const isUnloaded = (file) => file.status === "failed" && failedIn(file).length === 0;

/** The failed tests of a report, and the files that did not load, each with its file and the begin of what it said. */
function failuresOf(report) {
  return report.testResults.flatMap((result) => {
    const file = relative(root, result.name);
    if (isUnloaded(result)) return [`${file}\n${indented(result.message ?? "")}`];
    return failedIn(result).map(
      ({ fullName, failureMessages }) =>
        `${file} > ${fullName.trim()}\n${indented((failureMessages ?? []).join("\n"))}`,
    );
  });
}

const indented = (message) =>
  message
    .split("\n")
    .slice(0, REPEATED_LINES)
    .map((line) => `    ${line}`)
    .join("\n");

/** Runs one package's tests. A file that did not load, a missing report, an unhandled rejection count as a failure. */
function testPackage({ folder, name }) {
  const reportFile = join(root, folder, ".cache", "test-report.json");
  rmSync(reportFile, { force: true });
  say(`testing ${name} …`);
  const begun = performance.now();
  const code = run("pnpm", ["--silent", "run", "test"], { cwd: join(root, folder) });
  const seconds = ((performance.now() - begun) / 1000).toFixed(1);
  if (!existsSync(reportFile))
    return { name, seconds, passed: 0, failed: 1, skipped: 0, note: "no report", failures: [] };

  const report = JSON.parse(readFileSync(reportFile, "utf8"));
  const unloaded = report.testResults.filter(isUnloaded).length;
  const numbers = {
    passed: report.numPassedTests,
    failed: report.numFailedTests + unloaded,
    skipped: report.numPendingTests + report.numTodoTests,
  };
  let note = unloaded > 0 ? `${unloaded} file(s) did not load` : "";
  if (numbers.failed === 0 && code !== 0) {
    numbers.failed = 1;
    note = "an error outside the tests, see above";
  }
  return { name, seconds, note, failures: failuresOf(report), ...numbers };
}

/** Whether a package's tests start, or visit, a Redis server: `"taskq": { "needs": ["redis"] }` in its manifest. */
const needsRedis = ({ manifest }) => manifest.taskq?.needs?.includes("redis") === true;

/** What is true of a package's tests where there is no Redis server: those that need one were skipped. */
function withoutRedis(result) {
  const isBuildMachine = process.env.CI === "true";
  const note = `not run for want of a Redis server: ${howToGetOne}`;
  return { ...result, failed: result.failed + (isBuildMachine ? 1 : 0), note };
}

function runTests() {
  prepare();
  const tested = workspacePackages(root).filter(({ manifest }) => manifest.scripts?.test !== undefined);
  const redis = tested.some(needsRedis) ? ensureServer(say) : undefined;
  if (redis !== undefined) say(`Redis for the tests: ${redis.where}`);
  const results = tested.map((each) =>
    redis === undefined && needsRedis(each) ? withoutRedis(testPackage(each)) : testPackage(each),
  );
  const sum = (key) => results.reduce((total, result) => total + result[key], 0);

  for (const failure of results.flatMap(({ failures }) => failures)) console.log(`\nFAILED  ${failure}`);
  console.log("");
  for (const { name, seconds, note, ...numbers } of results) {
    const counts = `${numbers.passed} passed, ${numbers.failed} failed, ${numbers.skipped} skipped`;
    console.log(`${name.padEnd(20)} ${seconds.padStart(6)} s  ${counts}${note === "" ? "" : ` (${note})`}`);
  }
  if (sum("passed") + sum("failed") === 0) console.log("no test ran");
  console.log("");
  const skipped = sum("skipped") > 0 ? `, ${sum("skipped")} skipped` : "";
  console.log(`${sum("passed")} passed, ${sum("failed")} failed${skipped}`);
  return sum("failed") === 0 && sum("passed") > 0 ? 0 : 1;
}

await main(runTests);
