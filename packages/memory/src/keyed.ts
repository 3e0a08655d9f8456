/** A run that is given back with the keys it is to wait by. */
import type { SettledOutcome } from "@taskq/core/storage";
import { copyOf } from "./bytes.js";
import { giveUp } from "./finish.js";
import type { Move } from "./queue-state.js";
import type { JobRow } from "./rows.js";
import { endRun } from "./runs.js";
import { enterLine } from "./transition.js";
import { free, takeOrPark } from "./unique.js";

/** Ends the run, puts its keys in place of those it had, and lets it wait by them. */
export function giveBackKeyed(
  move: Move,
  row: JobRow,
  { body, gates, unique }: Extract<SettledOutcome, { kind: "keyed" }>,
): void {
  endRun(move, row);
  free(move, row);
  row.job = { ...row.job, body: copyOf(body), gates, unique };
  if (giveUp(move, row)) return;
  if (takeOrPark(move, row)) enterLine(move, row);
}
