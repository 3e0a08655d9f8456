// `pnpm cron`: proves cron against a walk with Intl through every IANA zone. See apps/docs/guide/schedules.md.
// `pnpm cron [zone …] [--from <zone>] [--changes <n>] [--workers <n>]`; with `--changes`, only around so many changes of
// each zone's clocks, evenly chosen.
import { fork, type ChildProcess } from "node:child_process";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { cases } from "../cron-proof/cases.ts";
import type { ProofOptions, ZoneReport } from "../cron-proof/prove-zone.ts";

const years = [2000, 2038] as const;
const worker = fileURLToPath(new URL("./cron-proof-worker.js", import.meta.url));
const known: readonly string[] = [...new Set(["UTC", ...Intl.supportedValuesOf("timeZone")])].toSorted();

interface Given {
  readonly zones: readonly string[];
  readonly workers: number;
  readonly options: ProofOptions;
}

function given(): Given {
  const args = process.argv.slice(2).filter((each) => each !== "--");
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { from: { type: "string" }, changes: { type: "string" }, workers: { type: "string" } },
  });
  for (const zone of [...positionals, values.from ?? "UTC"]) {
    if (!known.includes(zone)) throw new Error(`expected a zone that Intl lists, got '${zone}'`);
  }
  const { from = "" } = values;
  const zones = (positionals.length === 0 ? known : positionals).filter((zone) => zone >= from);
  const changes = count("changes", values.changes);
  return {
    zones,
    workers: count("workers", values.workers) ?? availableParallelism(),
    options: { years, weeks: 3, ...(changes === undefined ? {} : { changes }) },
  };
}

function count(name: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const number = Number(value);
  if (Number.isInteger(number) && number >= 1) return number;
  throw new Error(`--${name}: expected a whole number of at least 1, got '${value}'`);
}

/** Each zone goes to the first process that is free. */
function proveAll(
  { zones, workers, options }: Given,
  onReport: (report: ZoneReport) => void,
): Promise<unknown> {
  const left = zones.values();
  return Promise.all(
    Array.from({ length: Math.min(workers, zones.length) }, () => {
      const child = fork(worker, { execArgv: [] });
      return proveWith(child, left, options, onReport);
    }),
  );
}

function proveWith(
  child: ChildProcess,
  left: Iterator<string>,
  options: ProofOptions,
  onReport: (report: ZoneReport) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let current: string | undefined;
    const next = (): void => {
      const { value, done } = left.next();
      current = done === true ? undefined : value;
      if (done === true) child.disconnect();
      else child.send({ timeZone: value, options });
    };
    child.on("message", (report: ZoneReport) => {
      onReport(report);
      next();
    });
    child.on("error", reject);
    child.on("exit", (code, signal) => {
      if (current === undefined) resolve();
      else reject(new Error(`the process for ${current} ended: ${signal ?? `code ${code}`}`));
    });
    next();
  });
}

/** Where a later call goes on: all zones before it are done. */
function firstLeft(zones: readonly string[], reports: ReadonlyMap<string, ZoneReport>): string | undefined {
  return zones.find((zone) => !reports.has(zone));
}

function summary(reports: readonly ZoneReport[], seconds: number): string {
  const sum = (key: "transitions" | "minutes" | "runs" | "questions"): string =>
    reports.reduce((total, report) => total + report[key], 0).toLocaleString("en-US");
  const wrong = reports.filter(({ differences }) => differences.length > 0);
  return [
    `time zone data ${process.versions.tz}, ${cases.length} expressions, ${years[0]} to ${years[1] - 1}`,
    `zones              ${reports.length}`,
    `changes of clocks  ${sum("transitions")}`,
    `minutes walked     ${sum("minutes")}`,
    `runs compared      ${sum("runs")}`,
    `questions asked    ${sum("questions")}`,
    `zones that differ  ${wrong.length}`,
    `seconds            ${seconds.toFixed(0)}`,
  ].join("\n");
}

const call = given();
const reports = new Map<string, ZoneReport>();
const begun = performance.now();
const elapsed = (): number => (performance.now() - begun) / 1000;

process.once("SIGINT", () => {
  console.log(`\nto go on: pnpm cron --from ${firstLeft(call.zones, reports) ?? call.zones[0]}`);
  process.exit(130);
});
console.log(
  `${call.zones.length} zones, ${call.workers} processes; all zones take about half an hour of two cores`,
);
await proveAll(call, (report) => {
  reports.set(report.timeZone, report);
  const verdict = report.differences.length === 0 ? "ok" : "DIFFERS";
  const changes = `${report.transitions} changes`;
  const done = `${reports.size}/${call.zones.length}`;
  console.log(
    `${done.padStart(8)} ${elapsed().toFixed(0).padStart(6)} s  ${verdict}  ${report.timeZone}, ${changes}`,
  );
  for (const difference of report.differences) console.log(`         ${difference}`);
});
console.log(`\n${summary([...reports.values()], elapsed())}`);
process.exitCode = [...reports.values()].every(({ differences }) => differences.length === 0) ? 0 : 1;
