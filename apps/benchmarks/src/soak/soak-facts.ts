import type { Fact } from "../report/fact-table.js";
import type { SoakReport } from "./run-soak.js";

/** Milliseconds, at p99.9 of any process. */
const LOOP_DELAY = 100;
const WAL_BYTES = 128 * 2 ** 20;

/** What is asked of many processes on one file. */
export function soakFacts(report: SoakReport): readonly Fact[] {
  const { stored, ran, repeated, unfinished, errors, walBytes, fileBytes, integrity } = report;
  return [
    { name: "jobs stored", value: stored, met: stored > 0 },
    { name: "jobs run", value: ran, met: ran === stored },
    { name: "jobs run more than once", value: repeated, met: repeated === 0 },
    { name: "jobs left", value: unfinished, met: unfinished === 0 },
    {
      name: "errors and warnings",
      value: errors.length === 0 ? 0 : `${errors.length} (${errors[0]})`,
      met: errors.length === 0,
    },
    delay("producers", report.producerDelays),
    delay("consumers", report.consumerDelays),
    { name: "  the same of a process that does nothing beside them", value: report.ownDelay.toFixed(1) },
    { name: "largest WAL, MiB", value: mebibytes(walBytes), met: walBytes < WAL_BYTES },
    { name: "file, MiB", value: mebibytes(fileBytes) },
    { name: "integrity_check", value: integrity, met: integrity === "ok" },
  ];
}

function mebibytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(1);
}

function delay(name: string, delays: readonly number[]): Fact {
  return {
    name: `event-loop delay p99.9 of the ${name}, ms`,
    value: delays.map((each) => each.toFixed(1)).join(" "),
    met: Math.max(...delays) < LOOP_DELAY,
  };
}
