/** Changes of jobs by users. */
import { isFinal, type AmendAnswer, type AmendRequest } from "@taskq/core/storage";
import { finishAll } from "./finish.js";
import { flowOf } from "./flow-graph.js";
import { withdraw } from "./gates.js";
import { removeRow } from "./purge.js";
import type { Move } from "./queue-state.js";
import { mend, restorableAmong, retryableAmong, type Reopened } from "./reopen.js";
import { isNeeded } from "./retention.js";
import type { Row } from "./rows.js";
import { flagRun } from "./runs.js";
import { enterLine, report } from "./transition.js";

/** Changes jobs by id. */
export function amend(move: Move, request: AmendRequest): AmendAnswer {
  const { change } = request;
  const rows = [...new Set(request.ids)].flatMap((id) => move.queue.rows.get(id) ?? []);
  switch (change.kind) {
    case "revoke":
      return changed(move, rows, (row) => revoke(move, row, change.scope));
    case "restore":
      return mended(move, restorableAmong(rows, change.scope));
    case "retry":
      return mended(move, retryableAmong(rows));
    case "reschedule":
      return changed(move, rows, (row) => reschedule(move, row, change.due));
    case "remove":
      return changed(move, rows, (row) => remove(move, row));
  }
}

function changed(move: Move, rows: readonly Row[], change: (row: Row) => boolean): AmendAnswer {
  const ids = rows.filter(change).map(({ id }) => id);
  return { changed: ids, effects: move.effects };
}

/** Restored and retried jobs wait again, and so does what was broken because of them. */
function mended(move: Move, found: Reopened): AmendAnswer {
  mend(move, found);
  return { changed: found.asked.map(({ id }) => id), effects: move.effects };
}

/** A join stands for its whole flow. */
function revoke(move: Move, row: Row, scope: "flow" | "later"): boolean {
  const jobs = row.kind === "join" || scope === "flow" ? flowOf(row) : [row];
  const waiting = jobs.filter(({ state }) => state !== "active" && !isFinal(state));
  const flagged = jobs.filter((job) => flagRun(move, job));
  for (const job of waiting) report(move, job, "cancelled", { reason: "revoked" });
  finishAll(move, waiting, { state: "cancelled", reason: "revoked" });
  return waiting.length + flagged.length > 0;
}

function reschedule(move: Move, row: Row, due: number): boolean {
  if (row.kind === "join" || row.state === "active" || isFinal(row.state)) return false;
  const { state, gate } = row;
  const inPlace = state === "blocked" || (state === "parked" && isTurn(gate));
  if (!inPlace) withdraw(move, row);
  row.due = due;
  if (!inPlace) enterLine(move, row);
  return true;
}

/** Whether a line is one that a job has to wait in, whatever its due. */
function isTurn(gate: string | undefined): boolean {
  return gate?.startsWith("unique:") === true || gate?.startsWith("schedule:") === true;
}

/** What something unfinished depends on stays. */
function remove(move: Move, row: Row): boolean {
  if (row.kind === "join" || !isFinal(row.state) || isNeeded(row)) return false;
  removeRow(move, row);
  return true;
}
