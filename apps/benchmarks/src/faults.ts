// `pnpm faults`: a queue on Redis that works on while its servers and connections are broken. See README.md.
import { availableParallelism, loadavg } from "node:os";
import { findingsOf, outages, serverBinary, type Outage } from "@taskq/redis-servers";
import { misused, readArguments } from "./arguments.js";
import { allMet, factTable } from "./report/fact-table.js";

const given = readArguments(["only", "seconds", "times"]);

/** Those that are counted; all others take so many seconds. */
const TIMES: ReadonlyMap<string, number> = new Map([
  ["restarts", 20],
  ["fail-overs", 10],
  ["uncopied-fail-overs", 10],
]);

function chosen(): readonly (readonly [string, Outage])[] {
  const all = Object.entries(outages);
  const only = given.text("only")?.split(",");
  const unknown = only?.find((name) => !Object.hasOwn(outages, name));
  if (unknown !== undefined) {
    return misused(`--only: expected some of ${Object.keys(outages).join(",")}, got "${unknown}"`);
  }
  return all.filter(([name]) => only?.includes(name) ?? true);
}

const load = (): string => loadavg()[0]?.toFixed(1) ?? "?";

const wanted = chosen();
const binary = serverBinary();
if (binary === undefined) throw new Error("no redis-server or valkey-server here: put one on the PATH");
console.log(`${binary.path} · Node ${process.versions.node} · ${availableParallelism()} CPUs`);
for (const [name, outage] of wanted) {
  const counted = TIMES.get(name);
  const extent =
    counted === undefined
      ? { seconds: given.number("seconds", 60), times: 1 }
      : { seconds: 0, times: given.number("times", counted) };
  const before = load();
  const facts = findingsOf(outage, await outage.run(extent));
  console.log(`\n${name}: ${outage.title} (load ${before} before, ${load()} after)\n${factTable(facts)}`);
  if (!allMet(facts)) process.exitCode = 1;
}
