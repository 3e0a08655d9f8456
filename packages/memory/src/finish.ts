/** The move that ends jobs, and all that follows from it in the same step. */
import { isFinal, type FinalState } from "@taskq/core/storage";
import { verdictOf } from "./edges.js";
import { withdraw } from "./gates.js";
import { failedGroupsAhead, failedGroupOf, GROUP_FAILED, strandedBefore } from "./joins.js";
import type { Move } from "./queue-state.js";
import { releaseWithheld, retain } from "./retention.js";
import type { Broken, Dependent, JobRow, JoinRow, Row } from "./rows.js";
import { endRun } from "./runs.js";
import { enterLine, report, setState } from "./transition.js";
import { freeOnFinal, takeOrPark } from "./unique.js";

/** How a job ends. */
export interface Ending {
  readonly state: FinalState;
  readonly bytes?: Uint8Array | undefined;
  readonly reason?: string | undefined;
  /** Why it did not complete, if not because of itself. */
  readonly broken?: Broken | undefined;
}

/** Ends a job, whatever its state, and does what follows from it. */
export function finish(move: Move, row: JobRow, ending: Ending): void {
  finishAll(move, [row], ending);
}

/** Ends a job that the move was not asked about. */
export function finishUnasked(
  move: Move,
  row: JobRow,
  state: "cancelled" | "expired" | "failed" | "quarantined",
  reason?: string,
): void {
  report(move, row, state, reason === undefined ? {} : { reason });
  finish(move, row, { state, reason });
}

/** Ends a job whose time to begin is over; answers whether it is. */
export function endIfExpired(move: Move, row: JobRow): boolean {
  const { expiresAt } = row.job;
  if (expiresAt === undefined || expiresAt > move.now) return false;
  finishUnasked(move, row, "expired");
  return true;
}

/** Ends several jobs alike: all of them first, then what follows. */
export function finishAll(move: Move, rows: readonly JobRow[], ending: Ending): void {
  const ended: Row[] = [];
  for (const row of rows) conclude(move, row, ending, ended);
  follow(move, ended);
}

/** When a job that is given back is due: it was so when it was claimed, though the clock may have been set back. */
export function dueBefore(move: Move, row: JobRow): number {
  return Math.min(row.due, move.now);
}

/** A run has been given back: the job waits again, unless the group that it leads to has failed. */
export function giveBack(move: Move, row: JobRow): void {
  endRun(move, row);
  if (!giveUp(move, row)) enterLine(move, row);
}

/** Skips a job that does not run, if the group that it leads to has failed; whether it did. */
export function giveUp(move: Move, row: JobRow): boolean {
  const root = failedGroupOf(row)?.broken?.root;
  if (root === undefined) return false;
  const ended: Row[] = [];
  skip(move, row, { root, reason: GROUP_FAILED, failure: false }, ended);
  follow(move, ended);
  return true;
}

/** Ends those that wait again for a group which stays failed, and for nothing else. */
export function giveUpAgain(move: Move, rows: readonly Row[]): void {
  const ended: Row[] = [];
  const groups = failedGroupsAhead(rows);
  for (const row of rows) {
    const join = groups.get(row);
    if (join?.broken === undefined) continue;
    const broken: Broken = { root: join.broken.root, reason: GROUP_FAILED, failure: false };
    if (row.kind === "job") skip(move, row, broken, ended);
    else concludeJoin(move, row, broken, ended);
  }
  follow(move, ended);
}

/** Looks at a job that is blocked: it may have become ready, or impossible. */
export function reconsider(move: Move, row: JobRow, broken: Broken | undefined): void {
  if (row.state !== "blocked") return;
  if (broken !== undefined) {
    const ended: Row[] = [];
    skip(move, row, broken, ended);
    follow(move, ended);
  } else if (row.waitingFor === 0) admit(move, row);
}

/** Looks at a join that is blocked: its members may all count, or one may have broken it. */
export function reconsiderJoin(move: Move, join: JoinRow, broken: Broken | undefined): void {
  if (join.state !== "blocked") return;
  const ended: Row[] = [];
  if (broken !== undefined) breakJoin(move, join, broken, ended);
  else if (join.waitingFor === 0) concludeJoin(move, join, undefined, ended);
  follow(move, ended);
}

/** A job whose edges are satisfied takes its unique key and waits for its turn, or for the key. */
export function admit(move: Move, row: JobRow): void {
  for (const { source, on } of row.edges) {
    if (on === "failed" && source.broken !== undefined) (source.broken.root.readers ??= new Set()).add(row);
  }
  if (row.edges.length > 0) row.due = Math.max(row.due, move.now);
  if (!takeOrPark(move, row)) return;
  enterLine(move, row);
  if (row.edges.length > 0 && row.state === "ready") report(move, row, "readied");
}

/** Goes through what waited for rows that have ended, and for those that end by it. */
function follow(move: Move, ended: Row[]): void {
  let freed = 0;
  const freeKeys = (): void => {
    for (; freed < ended.length; freed += 1) freeKeyOf(move, ended[freed]);
  };
  // It grows meanwhile.
  for (const source of ended) {
    // A key goes to none of those that end together with its holder: what has not completed takes others along.
    if (source.broken === undefined) freeKeys();
    for (const dependent of source.dependents) tellDependent(move, source, dependent, ended);
    letAwaitingGo(move, source);
  }
  freeKeys();
}

function freeKeyOf(move: Move, row: Row | undefined): void {
  if (row?.kind === "job") freeOnFinal(move, row);
}

function tellDependent(move: Move, source: Row, dependent: Dependent, ended: Row[]): void {
  const { target } = dependent;
  if (target.state !== "blocked") return;
  if (!("on" in dependent)) return countPart(move, dependent.target, source, ended);
  const verdict = verdictOf({ source, on: dependent.on });
  if (typeof verdict === "object") return skip(move, dependent.target, verdict, ended);
  dependent.target.waitingFor -= 1;
  if (dependent.target.waitingFor === 0) admit(move, dependent.target);
}

/** A member of a join has ended, or what one added. */
function countPart(move: Move, join: JoinRow, { broken }: Row, ended: Row[]): void {
  const why = join.mode === "settled" ? undefined : (broken ?? join.foreseen);
  if (why !== undefined) return breakJoin(move, join, why, ended);
  join.waitingFor -= 1;
  if (join.waitingFor === 0) concludeJoin(move, join, undefined, ended);
}

/** A join fails with its first member that does not complete, and with it all that has not started for it. */
function breakJoin(move: Move, join: JoinRow, broken: Broken, ended: Row[]): void {
  concludeJoin(move, join, broken, ended);
  const stranded: Broken = { root: broken.root, reason: GROUP_FAILED, failure: false };
  for (const row of strandedBefore(join)) {
    if (row.kind === "job") skip(move, row, stranded, ended);
    else concludeJoin(move, row, stranded, ended);
  }
}

function skip(move: Move, row: JobRow, broken: Broken, ended: Row[]): void {
  report(move, row, "skipped", { reason: broken.reason, cause: broken.root.id });
  conclude(move, row, { state: "skipped", reason: broken.reason, broken }, ended);
}

function conclude(move: Move, row: JobRow, ending: Ending, ended: Row[]): void {
  if (isFinal(row.state)) return;
  withdraw(move, row);
  endRun(move, row);
  setState(move, row, ending.state);
  row.finishedAt = move.now;
  row.bytes = ending.bytes;
  row.reason = ending.reason;
  row.broken = ending.broken ?? brokenBy(row, ending.state);
  if (row.broken !== undefined) addVictim(row.broken.root, row);
  move.queue.feed.add(row, move.now);
  releaseWithheld(move.queue, row);
  retain(move.queue, row);
  move.queue.hints.final(row.id);
  ended.push(row);
}

function brokenBy(row: JobRow, state: FinalState): Broken | undefined {
  if (state === "completed") return undefined;
  return { root: row, reason: state, failure: state === "failed" || state === "quarantined" };
}

function concludeJoin(move: Move, join: JoinRow, broken: Broken | undefined, ended: Row[]): void {
  if (isFinal(join.state)) return;
  if (broken === undefined) join.state = "completed";
  else join.state = broken.failure ? "failed" : "skipped";
  join.finishedAt = move.now;
  join.reason = broken?.reason;
  join.broken = broken;
  if (broken !== undefined) addVictim(broken.root, join);
  releaseWithheld(move.queue, join);
  retain(move.queue, join);
  move.queue.hints.final(join.id);
  ended.push(join);
}

function addVictim(root: Row, victim: Row): void {
  if (victim !== root) (root.victims ??= new Set()).add(victim);
}

/** The flow of a schedule that waited for the one before. */
function letAwaitingGo(move: Move, { id }: Row): void {
  const awaiting = move.queue.awaitedEnds.get(id);
  if (awaiting === undefined) return;
  move.queue.awaitedEnds.delete(id);
  const gate = `schedule:${awaiting.schedule}`;
  for (const row of awaiting.jobs.filter((job) => job.gate === gate)) {
    withdraw(move, row);
    admit(move, row);
    if (row.state === "ready") report(move, row, "readied", { gate });
  }
}
