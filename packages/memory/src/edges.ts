/** Edges: what they ask of their sources, and how rows are linked by them. */
import { isFinal, type EdgeCondition } from "@taskq/core/storage";
import type { Broken, Edge, JobRow, Row } from "./rows.js";

/** `satisfied`; `waiting`: not decided yet; else why it never will be satisfied. */
export type EdgeVerdict = "satisfied" | "waiting" | Broken;

/** How an edge stands. */
export function verdictOf({ source, on }: Edge): EdgeVerdict {
  if (!isFinal(source.state)) return "waiting";
  if (on === "settled") return "satisfied";
  if (on === "completed") return source.broken ?? "satisfied";
  if (source.broken === undefined) return { root: source, reason: "completed", failure: false };
  return source.broken.failure ? "satisfied" : source.broken;
}

/** Adds an edge to a job that is not linked yet, or is blocked. */
export function addEdge(row: JobRow, source: Row, on: EdgeCondition): void {
  row.edges.push({ source, on });
  source.dependents.push({ target: row, on });
  if (!isFinal(source.state)) row.waitingFor += 1;
}

/** Counts anew the sources that a job waits for. */
export function recountEdges(row: JobRow): void {
  row.waitingFor = row.edges.filter(({ source }) => !isFinal(source.state)).length;
}

/** Why a job never becomes ready, if one of its edges cannot be satisfied. */
export function brokenEdge(row: JobRow): Broken | undefined {
  for (const edge of row.edges) {
    const verdict = verdictOf(edge);
    if (typeof verdict === "object") return verdict;
  }
  return undefined;
}

/** Whether it runs only when its flow fails. */
export function isErrorHandler(row: JobRow): boolean {
  return row.edges.some(({ on }) => on === "failed");
}
