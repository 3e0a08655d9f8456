// `pnpm fuzz`: hostile inputs for all that reads what others wrote. See README.md.
import { randomInt } from "node:crypto";
import { readArguments } from "./arguments.js";
import { runFuzz } from "./fuzz/run-fuzz.js";
import { allMet, factTable } from "./report/fact-table.js";

/** Milliseconds that an input may take. */
const LONGEST = 50;
/** Bytes by which the process may grow. */
const MOST_GROWTH = 512 * 1_048_576;

const given = readArguments(["inputs", "seed", "from", "only"]);
const seed = given.number("seed", randomInt(2 ** 31));
const inputs = given.number("inputs", 1_000_000);
console.log(`seed ${seed}`);
const began = performance.now();
// Until everything is as it is asked: errors that nobody catches are counted, and end nothing.
process.exitCode = 1;
const report = await runFuzz({ inputs, seed, from: given.number("from", 0), only: given.text("only") });
const { fed, refused, faults, longest, longestOf, grown, polluted } = report;
const count = [...fed.values()].reduce((sum, one) => sum + one, 0);
const facts = [
  ...[...fed].map(([name, value]) => ({ name: `inputs: ${name}`, value })),
  { name: "inputs", value: count, met: count === inputs },
  { name: "refused with an error of ours", value: refused },
  { name: "other errors", value: faults.length, met: faults.length === 0 },
  { name: "prototypes changed", value: polluted.length, met: polluted.length === 0 },
  { name: "longest input, ms", value: longest.toFixed(1), met: longest < LONGEST },
  { name: "grown by, MiB", value: Math.round(grown / 1_048_576), met: grown < MOST_GROWTH },
  { name: "seconds", value: ((performance.now() - began) / 1_000).toFixed(1) },
];
for (const fault of [...faults, ...polluted]) console.log(fault);
if (longest >= LONGEST) console.log(`the longest: ${longestOf}`);
console.log(factTable(facts));
process.exit(allMet(facts) ? 0 : 1);
