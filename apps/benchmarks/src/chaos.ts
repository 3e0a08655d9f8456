// `pnpm chaos`: jobs, pipelines and groups through consumers that are killed all the time. See README.md.
import { readArguments } from "./arguments.js";
import { chaosFacts } from "./chaos/chaos-facts.js";
import { runChaos } from "./chaos/run-chaos.js";
import { allMet, factTable } from "./report/fact-table.js";
import { scratchFolder } from "./scratch-folder.js";

const given = readArguments(
  ["storage", "seed", "jobs", "consumers", "seconds", "quiet-seconds", "directory"],
  ["popping", "unlimited", "gated", "early"],
);
const seed = given.number("seed", Date.now() % 1_000_000);
const flaw = (["popping", "unlimited"] as const).find((name) => given.flag(name));
const warning = { popping: "pops destructively", unlimited: "forgets the starts of limits at once" };
console.log(
  `seed ${seed}${flaw === undefined ? "" : `, on a storage that ${warning[flaw]}: this must fail`}`,
);

using folder = scratchFolder(given.text("directory"));
const report = await runChaos({
  storage: given.text("storage") ?? "sqlite",
  folder: folder.path,
  seed,
  flaw,
  gated: given.flag("gated"),
  jobs: given.number("jobs", 20_000),
  consumers: given.number("consumers", 4),
  seconds: given.number("seconds", 60),
  quietSeconds: given.number("quiet-seconds", 10),
  early: given.flag("early"),
  say: (line) => process.stderr.write(`${line}\n`),
});
const facts = chaosFacts(report);
console.log(factTable(facts));
process.exitCode = allMet(facts) ? 0 : 1;
