// `pnpm --filter @taskq/benchmarks run parked`: how much parked jobs slow the claims of others. See README.md.
import { readArguments } from "./arguments.js";
import { runParked } from "./parked/run-parked.js";
import { allMet, factTable } from "./report/fact-table.js";

const given = readArguments(["parked", "jobs", "runs", "directory"]);
const { without, behind, parked } = await runParked({
  parked: given.number("parked", 10_000),
  jobs: given.number("jobs", 20_000),
  runs: given.number("runs", 5),
  directory: given.text("directory"),
});
const slower = behind / without - 1;
const facts = [
  { name: "jobs parked", value: parked },
  { name: "step of ten with none parked, us", value: without.toFixed(1) },
  { name: "step of ten behind them, us", value: behind.toFixed(1) },
  { name: "slower by, %", value: (slower * 100).toFixed(1), met: slower < 0.2 },
];
console.log(factTable(facts));
process.exitCode = allMet(facts) ? 0 : 1;
