// `pnpm soak`: producers and consumers on one file for a minute. See README.md.
import { readArguments } from "./arguments.js";
import { allMet, factTable } from "./report/fact-table.js";
import { scratchFolder } from "./scratch-folder.js";
import { runSoak } from "./soak/run-soak.js";
import { soakFacts } from "./soak/soak-facts.js";

const given = readArguments(["producers", "consumers", "seconds", "rate", "directory"]);
using folder = scratchFolder(given.text("directory"));
const report = await runSoak({
  folder: folder.path,
  producers: given.number("producers", 4),
  consumers: given.number("consumers", 4),
  seconds: given.number("seconds", 60),
  rate: given.number("rate", 1_500),
});
const facts = soakFacts(report);
console.log(factTable(facts));
process.exitCode = allMet(facts) ? 0 : 1;
