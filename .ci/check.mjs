// `pnpm check`: everything that must hold. Each step prints its name and its seconds; all of them run even if one
// fails, unless there is no build to check. `--without-tests` leaves the tests to `npm test` (see .ci/run).
import { SetupError, main, prepare, run, say } from "./setup.mjs";

const node = (script) => [process.execPath, script];

const steps = [
  ["format", ["oxfmt", "--check"]],
  ["import direction", node(".ci/check-imports.mjs")],
  ["contract against kit titles", node(".ci/check-contract.mjs")],
  ["lint", ["oxlint", "--type-aware", "--deny-warnings"]],
  ["types and type tests", ["turbo", "run", "typecheck", "--output-logs=errors-only"]],
  // two at a time: each packs a package
  [
    "packages (publint, attw)",
    ["turbo", "run", "check:package", "--concurrency=2", "--output-logs=errors-only"],
  ],
  ["workspace (sherif)", ["sherif"]],
  ["workspace (knip)", ["knip", "--no-config-hints"]],
];
const tests = [
  ["tests, examples among them", node(".ci/test.mjs")],
  // by the reports that the tests leave
  ["features against the tests that ran", node(".ci/check-features.mjs")],
];

function timed(name, work) {
  say(`--- ${name}`);
  const begun = performance.now();
  const ok = work();
  const seconds = ((performance.now() - begun) / 1000).toFixed(1);
  say(`--- ${ok ? "ok" : "FAILED"}, ${seconds} s: ${name}`);
  return { name, ok, seconds };
}

function check() {
  const results = [];
  results.push(
    timed("set-up and build", () => {
      prepare();
      return true;
    }),
  );
  const all = process.argv.includes("--without-tests") ? steps : [...steps, ...tests];
  for (const [name, [command, ...args]] of all) results.push(timed(name, () => run(command, args) === 0));
  console.log("");
  for (const { name, ok, seconds } of results) {
    console.log(`${ok ? "ok    " : "FAILED"} ${seconds.padStart(6)} s  ${name}`);
  }
  const failed = results.filter(({ ok }) => !ok).map(({ name }) => name);
  if (failed.length > 0) throw new SetupError(`check failed: ${failed.join("; ")}`);
  return 0;
}

await main(check);
