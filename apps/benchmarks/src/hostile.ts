// `pnpm --filter @taskq/benchmarks run hostile`: malformed messages among good ones, in each store. See README.md.
import { readArguments } from "./arguments.js";
import { runHostile, type HostileReport } from "./hostile/run-hostile.js";
import { withStore, type StoreName } from "./hostile/stores.js";
import { allMet, factTable, type Fact } from "./report/fact-table.js";

/** By how much fewer good ones may be done in a second for the malformed ones among them. */
const MOST_LOSS = 0.2;

const given = readArguments(
  ["jobs", "runs", "row", "seed", "stores", "redis", "work", "directory"],
  ["untimed", "compressed"],
);
const jobs = given.number("jobs", 10_000);
const runs = given.number("runs", 3);
const names = (given.text("stores") ?? "memory,sqlite,redis").split(",") as StoreName[];
const facts: Fact[] = [];
// Until everything is as it is asked: errors that nobody catches are counted, and end nothing.
process.exitCode = 1;
for (const name of names) {
  const report = await runHostile({
    jobs,
    runs,
    row: given.number("row", 10),
    seed: given.number("seed", 1),
    serializer: given.flag("compressed") ? "compressed" : "default",
    work: given.number("work", 1),
    with: (use) => withStore(name, { directory: given.text("directory"), redis: given.text("redis") }, use),
  });
  facts.push(...factsOf(name, report));
}
console.log(factTable(facts));
process.exitCode = allMet(facts) ? 0 : 1;

function factsOf(name: StoreName, report: HostileReport): Fact[] {
  const { crashes, quarantined, completed, reasons, goodRate, mixedRate, goodCpu, mixedCpu, ran } = report;
  // Of all messages of both kinds, half are good.
  const loss = 1 - mixedRate / 2 / goodRate;
  const timed: Fact[] = [
    { name: `${name}: good ones alone, 1/s`, value: Math.round(goodRate) },
    { name: `${name}: good ones among malformed, 1/s`, value: Math.round(mixedRate / 2) },
    { name: `${name}: fewer good ones, %`, value: (loss * 100).toFixed(1), met: loss < MOST_LOSS },
    { name: `${name}: CPU of a good one, us`, value: goodCpu.toFixed(1) },
    { name: `${name}: CPU of one of both kinds, us`, value: mixedCpu.toFixed(1) },
  ];
  return [
    { name: `${name}: crashes`, value: crashes, met: crashes === 0 },
    { name: `${name}: malformed, quarantined`, value: quarantined, met: quarantined === jobs },
    { name: `${name}: with a reason and their bytes`, value: reasons, met: reasons === jobs },
    { name: `${name}: good, completed`, value: completed, met: completed === jobs && ran === jobs },
    ...(given.flag("untimed") ? [] : timed),
  ];
}
