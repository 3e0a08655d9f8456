/** Which jobs and joins belong together. */
import { isFinal } from "@taskq/core/storage";
import { isErrorHandler } from "./edges.js";
import { sourcesOf } from "./joins.js";
import type { JobRow, Row } from "./rows.js";

/** All jobs of a flow, from any of its rows; but no error handler that has become ready, and nothing beyond it. */
export function flowOf(start: Row): readonly JobRow[] {
  const seen = new Set<Row>([start]);
  for (const row of seen) {
    for (const next of [...sourcesOf(row), ...row.dependents.map(({ target }) => target)]) {
      if (!isRunningHandler(next)) seen.add(next);
    }
  }
  return [...seen].filter((row) => row.kind === "job");
}

/** All that leads to a row, and the row itself. */
export function jobsBefore(end: Row): readonly JobRow[] {
  const seen = new Set<Row>([end]);
  for (const row of seen) for (const source of sourcesOf(row)) seen.add(source);
  return [...seen].filter((row) => row.kind === "job");
}

function isRunningHandler(row: Row): boolean {
  return row.kind === "job" && isErrorHandler(row) && row.state !== "blocked" && !isFinal(row.state);
}
