import type { Fact } from "../report/fact-table.js";
import type { ChaosReport } from "./run-chaos.js";

/** What is asked of a run under kills. */
export function chaosFacts(report: ChaosReport): readonly Fact[] {
  const { verdict, states, gates } = report;
  const completed = report.jobs - report.failing + (gates?.ticks ?? 0);
  return [
    { name: "jobs", value: report.jobs },
    {
      name: "jobs by state",
      value: JSON.stringify(states),
      met: states["completed"] === completed && (states["failed"] ?? 0) === report.failing,
    },
    { name: "kills", value: `${report.kills} in ${report.killSeconds.toFixed(1)} s`, met: report.kills > 0 },
    { name: "runs", value: report.runs },
    { name: "runs in flight at a kill and repeated", value: verdict.rerun },
    none("lost", verdict.lost),
    { name: "  of them by the crash budget", value: report.crashed, met: report.crashed === 0 },
    none("duplicates not in flight at a kill", verdict.duplicates),
    none("group callbacks early", verdict.early),
    none("group callbacks twice", verdict.twice),
    none("group callbacks missing", verdict.missing),
    none("flows with a wrong result", verdict.wrong),
    ...(gates === undefined ? [] : gateFacts(gates)),
    none("consumers that ended by themselves", report.problems),
    { name: report.integrity.name, value: report.integrity.said, met: report.integrity.said === "ok" },
  ];
}

/** A limit lets through nearly what it allows: what a killed consumer began counts, and comes once more. */
const USED_AT_LEAST = 0.6;

function gateFacts(gates: NonNullable<ChaosReport["gates"]>): readonly Fact[] {
  const { together, ticks, ticksTwice, limits, freeing } = gates;
  return [
    none("runs that began while their gate was held", together),
    { name: "gates of dead holders", value: freeing.count },
    { name: "  longest until one was free, ms", value: Math.round(freeing.longest) },
    none("  not free within 1.5 leases and one pass", freeing.late),
    { name: "starts under limits", value: limits.starts, met: limits.starts > 0 },
    none("  more than a limit allows in some window", limits.exceeded),
    none("  whose instant nothing proves", limits.unproven),
    {
      name: "  share of what the least used limit allowed",
      value: limits.leastUsed?.toFixed(2) ?? "too few starts to tell",
      met: limits.leastUsed === undefined || limits.leastUsed >= USED_AT_LEAST,
    },
    { name: "jobs of the schedule", value: ticks, met: ticks > 0 },
    none("instants that made two jobs", ticksTwice),
  ];
}

/** A fact that must not be. */
function none(name: string, keys: readonly string[]): Fact {
  const value = keys.length === 0 ? 0 : `${keys.length} (${keys.slice(0, 3).join(", ")})`;
  return { name, value, met: keys.length === 0 };
}
