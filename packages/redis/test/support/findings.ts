/** What a run under an outage shows, and whether that is what was asked. */
import type { Outage, Report } from "./outages.js";

/** One thing that was found; `met` where something is asked of it. */
export interface Finding {
  readonly name: string;
  readonly value: string | number;
  readonly met?: boolean;
}

/** The time of a call, five seconds, with what a busy machine adds. */
const LONGEST_CALL = 6_500;
const LONGEST_REST = 3_000;

/** Judges one. */
export function findingsOf({ mayLose, refuses }: Outage, report: Report): readonly Finding[] {
  const { accepted, completed, unavailable, longestCall, resumedAfter, contradiction } = report;
  const nothing = mayLose === "nothing";
  return [
    { name: "times", value: report.times, met: report.times > 0 },
    { name: "jobs accepted", value: accepted, met: accepted >= 50 },
    none("lost", accepted - completed, mayLose !== "what was not copied"),
    none("  of them never run", report.neverRun, mayLose !== "what was not copied"),
    none("left", report.left, true),
    none("run twice", report.duplicates, nothing),
    none("leases lost", report.leasesLost, nothing),
    { name: "enqueues refused and repeated", value: unavailable, ...(refuses && { met: unavailable > 0 }) },
    { name: "calls, enqueues among them", value: report.calls },
    none("  hung", report.hung, true),
    { name: "  the longest, ms", value: Math.round(longestCall), met: longestCall <= LONGEST_CALL },
    {
      name: "longest until it went on, ms",
      value: Math.round(resumedAfter),
      met: resumedAfter <= LONGEST_REST,
    },
    ...(contradiction === undefined
      ? []
      : [{ name: "contradictions between keys", value: contradiction, met: contradiction === "none" }]),
  ];
}

function none(name: string, value: number, isAsked: boolean): Finding {
  return isAsked ? { name, value, met: value === 0 } : { name, value };
}
