// `pnpm chaos`: jobs, pipelines and groups through consumers that are killed all the time. See README.md.
import { readArguments } from "./arguments.js";
import { chaosFacts } from "./chaos/chaos-facts.js";
import { runChaos } from "./chaos/run-chaos.js";
import { allMet, factTable } from "./report/fact-table.js";
import { scratchFolder } from "./scratch-folder.js";

const given = readArguments(
  ["seed", "jobs", "consumers", "seconds", "quiet-seconds", "directory"],
  ["popping", "gated"],
);
const seed = given.number("seed", Date.now() % 1_000_000);
const popping = given.flag("popping");
console.log(`seed ${seed}${popping ? ", on a storage that pops destructively: this must fail" : ""}`);

using folder = scratchFolder(given.text("directory"));
const report = await runChaos({
  folder: folder.path,
  seed,
  popping,
  gated: given.flag("gated"),
  jobs: given.number("jobs", 20_000),
  consumers: given.number("consumers", 4),
  seconds: given.number("seconds", 60),
  quietSeconds: given.number("quiet-seconds", 10),
  say: (line) => process.stderr.write(`${line}\n`),
});
const facts = chaosFacts(report);
console.log(factTable(facts));
process.exitCode = allMet(facts) ? 0 : 1;
