import type { Fact } from "../report/fact-table.js";
import type { ChaosReport } from "./run-chaos.js";

/** What is asked of a run under kills. */
export function chaosFacts(report: ChaosReport): readonly Fact[] {
  const { verdict, states } = report;
  return [
    { name: "jobs", value: report.jobs },
    { name: "jobs by state", value: JSON.stringify(states), met: states["completed"] === report.jobs },
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
    none("consumers that ended by themselves", report.problems),
    { name: "integrity_check", value: report.integrity, met: report.integrity === "ok" },
  ];
}

/** A fact that must not be. */
function none(name: string, keys: readonly string[]): Fact {
  const value = keys.length === 0 ? 0 : `${keys.length} (${keys.slice(0, 3).join(", ")})`;
  return { name, value, met: keys.length === 0 };
}
