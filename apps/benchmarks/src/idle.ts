// `pnpm --filter @taskq/benchmarks run idle`: what a consumer with nothing to do costs. See README.md.
import { readArguments } from "./arguments.js";
import { runIdle } from "./idle/run-idle.js";
import { allMet, factTable } from "./report/fact-table.js";
import { scratchFolder } from "./scratch-folder.js";

const given = readArguments(["seconds", "directory"]);
const seconds = given.number("seconds", 60);
using folder = scratchFolder(given.text("directory"));
const { changed, cpuShare } = await runIdle(folder.path, seconds);
const facts = [
  { name: "seconds with nothing to do", value: seconds },
  {
    name: "files written",
    value: changed.length === 0 ? "none" : changed.join(", "),
    met: changed.length === 0,
  },
  { name: "CPU, % of a core", value: (cpuShare * 100).toFixed(2), met: cpuShare < 0.02 },
];
console.log(factTable(facts));
process.exitCode = allMet(facts) ? 0 : 1;
