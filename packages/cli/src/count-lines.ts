import type { MoveReport } from "@taskq/core";

/** What the records of a move, or of a dump, are to a user; with the same name of several of them added up. */
const NAMES: ReadonlyMap<string, string> = new Map([
  ["join", "groups"],
  ["attempt", "failed runs"],
  ["note", "progress and log lines"],
  ["name", "ids still remembered"],
  ["unique", "unique keys"],
  ["hold", "locks held outside of jobs"],
  ["schedule", "schedules"],
  ["control", "pauses and revocations"],
  ["value", "values"],
  ["start", "starts of limits"],
  ["stats", "statistics, by task and minute"],
  ["event", "events of the feed"],
]);
/** How a storage keeps it, which says nothing to a user. */
const LEFT_OUT: ReadonlySet<string> = new Set(["edge", "feed"]);

/** One line for each kind, jobs first: `1,204  jobs waiting`. */
export function countLines(counts: NonNullable<MoveReport["counts"]>): readonly string[] {
  const names = Object.keys(counts);
  const jobs = names.filter((name) => name.startsWith("job ")).toSorted();
  const others = names.filter((name) => !name.startsWith("job ") && !LEFT_OUT.has(name)).toSorted();
  const shown = [...jobs, ...others].filter((name) => (counts[name] ?? 0) > 0);
  const width = Math.max(0, ...shown.map((name) => grouped(counts[name] ?? 0).length));
  return shown.map((name) => `    ${grouped(counts[name] ?? 0).padStart(width)}  ${wordsFor(name)}`);
}

function wordsFor(name: string): string {
  return NAMES.get(name) ?? name.replace(/^job /, "jobs ");
}

/** `12,400` */
export function grouped(count: number): string {
  return count.toLocaleString("en");
}
