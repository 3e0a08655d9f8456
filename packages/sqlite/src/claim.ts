import { CLAIM_SLACK, TaskqError, type ClaimedJob } from "@taskq/core/storage";
import { jobOf } from "./claimed-job.js";
import { NOT_AHEAD, SPECIAL, type Claiming } from "./claiming.js";
import { followConsequences } from "./consequences.js";
import { makeReady } from "./line.js";
import { MANY, readyRow, readyRows, type ReadyRow } from "./ready-rows.js";
import { HUNG_ON, READY, UNBEGUN } from "./row.js";
import { jobById } from "./rows.js";
import { turnAway } from "./turn-away.js";

/** Found first and changed after: cheaper than one UPDATE with RETURNING, and what may not run is left as it was. */
const TAKE =
  "UPDATE {jobs} SET state = 4, attempt = ?, fence = ?, owner = ?, started = ?, flags = ?, pad = NULL " +
  "WHERE key = (? << 21) | ?";

/** The first so many that are ready, as they have just been read. */
const TAKE_MANY =
  "UPDATE {jobs} SET state = 4, attempt = attempt + 1, fence = ?, owner = ?, started = ?, flags = flags | ?, " +
  "pad = NULL WHERE key IN (SELECT key FROM {jobs} WHERE queue = ? AND state = 0 " +
  "ORDER BY priority DESC, due, {jobs}.key LIMIT ? + 0)";

export interface Claimed {
  readonly jobs: readonly ClaimedJob[];
  readonly keys: readonly { readonly time: number; readonly low: number }[];
  readonly more: boolean;
  /** Whether nothing was done to any row but to claim it. */
  readonly isPlain: boolean;
  /** Whether nothing hangs on any of the rows: to settle one touches no other. */
  readonly isBare: boolean;
}

/** Claims what may run, up to the number asked for. */
export function claimJobs(claiming: Claiming): Claimed {
  const taken: Taken = {
    jobs: [],
    rows: [],
    begun: 0,
    passedOver: 0,
    slack: CLAIM_SLACK,
    more: false,
    isPlain: true,
  };
  if (claiming.claim.ids === undefined) {
    takeFirst(claiming, taken);
    claiming.move.queue.reach = reachAfter(taken);
    claiming.move.queue.foundFew = taken.jobs.length < MANY;
  } else takeIds(claiming, taken, claiming.claim.ids);
  const { more, isPlain: plain } = taken;
  const { jobs, rows } = inOrder(taken);
  return {
    jobs,
    keys: rows.map(([time, low]) => ({ time, low })),
    more,
    isPlain: plain,
    isBare: rows.every(isBare),
  };
}

interface Taken {
  readonly jobs: ClaimedJob[];
  readonly rows: ReadyRow[];
  begun: number;
  /** Rows left for somebody who begins them at once. */
  passedOver: number;
  /** Rows that may still be looked at beyond those that are answered. */
  slack: number;
  more: boolean;
  isPlain: boolean;
}

/** Where jobs stand that are not claimed ahead, the next claim looks no further than it may find others: all it reads costs. */
function reachAfter({ passedOver, jobs, begun }: Taken): number {
  return passedOver === 0 ? Infinity : CLAIM_SLACK + 2 * (jobs.length - begun);
}

function takeFirst(claiming: Claiming, taken: Taken): void {
  const { move, claim } = claiming;
  const wanted = claim.begin + Math.min(claim.ahead, move.queue.reach);
  const doomed = claiming.seldom.doomed.length > 0;
  // Behind a claim that found few there most often are few, which are cheaper to read one by one.
  const { foundFew, claimsLarge } = move.queue;
  let left = foundFew && !claimsLarge ? Math.min(wanted, MANY - 1) : wanted;
  for (; left > 0 && taken.slack > 0; left = Math.min(wanted - taken.jobs.length, taken.slack)) {
    const { slack } = taken;
    const { rows, isCut } = readyRows(move, { doomed, limit: left, offset: taken.passedOver });
    if (areAllPlain(claiming, taken, rows)) takeAll(claiming, taken, rows);
    else if (takeInTurn(claiming, taken, rows)) continue;
    // What was turned away may have let others go.
    if (taken.slack < slack) followConsequences(move);
    else if (rows.length < left && !isCut) return;
    if (isCut) break;
  }
  taken.more = true;
}

/**
 * Whether it stopped since a start, or the end of one that was turned away, has let others go: those may come before the
 * next one. It may also have ended that one, with its group.
 */
function takeInTurn(claiming: Claiming, taken: Taken, rows: readonly ReadyRow[]): boolean {
  const { move } = claiming;
  for (const row of rows) {
    take(claiming, taken, row);
    if (move.freed.size === 0 && move.finished.length === 0) continue;
    const before = move.effects.length;
    followConsequences(move);
    if (move.effects.length > before) return true;
  }
  return false;
}

function take(claiming: Claiming, taken: Taken, row: ReadyRow): void {
  const { claim } = claiming;
  const begun = taken.begun < claim.begin;
  if (!begun && (row[10] & NOT_AHEAD) !== 0) {
    taken.passedOver += 1;
    taken.slack -= 1;
  } else if (accept(claiming, taken, row, begun)) {
    if (begun) taken.begun += 1;
  } else {
    taken.slack -= 1;
  }
}

/** Whether the rows can be claimed with one statement: many, the first that are ready, and nothing to look at in any. */
function areAllPlain(claiming: Claiming, { passedOver }: Taken, rows: readonly ReadyRow[]): boolean {
  if (rows.length < MANY || passedOver > 0 || claiming.seldom.doomed.length > 0) return false;
  return rows.every((row) => (row[10] & NOT_AHEAD) === 0 && isPlain(claiming, row));
}

function takeAll(claiming: Claiming, taken: Taken, rows: readonly ReadyRow[]): void {
  const begun = Math.min(rows.length, claiming.claim.begin - taken.begun);
  takeMany(claiming, begun, true);
  takeMany(claiming, rows.length - begun, false);
  for (const [index, row] of rows.entries()) {
    row[4] += 1;
    taken.jobs.push(jobOf(claiming, row, index < begun));
    taken.rows.push(row);
  }
  taken.begun += begun;
}

function takeMany({ move, turn: { fence, owner } }: Claiming, count: number, begun: boolean): void {
  if (count === 0) return;
  const { changes } = move
    .sql(TAKE_MANY)
    .run(fence, owner, begun ? move.now : null, begun ? 0 : UNBEGUN, move.queue.id, count);
  if (changes === count) return;
  throw new TaskqError("TASKQ_STORAGE", `expected to claim ${count} rows that were ready, got ${changes}`);
}

function takeIds(claiming: Claiming, taken: Taken, ids: readonly string[]): void {
  const { move, claim } = claiming;
  const rows: ReadyRow[] = [];
  taken.isPlain = false;
  for (const id of new Set(ids)) {
    const row = jobById(move.scope.connection, move.queue, id);
    if (row === undefined) continue;
    if (row.later !== null && row.later <= move.now) makeReady(move, row, row.due);
    if (row.state === READY) rows.push(readyRow(move, row.key));
  }
  rows.sort(byTurn);
  for (const row of rows) {
    if (taken.jobs.length >= claim.begin + claim.ahead) taken.more = true;
    else take(claiming, taken, row);
  }
}

function byTurn(first: ReadyRow, second: ReadyRow): number {
  return second[7] - first[7] || first[8] - second[8] || first[0] - second[0] || first[1] - second[1];
}

/** A repeat answers them in the same order. */
function inOrder({ jobs, rows }: Taken): Pick<Taken, "jobs" | "rows"> {
  for (let index = 1; index < rows.length; index += 1) {
    if (byTurn(rows[index - 1] as ReadyRow, rows[index] as ReadyRow) > 0) {
      const paired = jobs.map((job, position) => ({ job, row: rows[position] as ReadyRow }));
      paired.sort((a, b) => byTurn(a.row, b.row));
      return { jobs: paired.map(({ job }) => job), rows: paired.map(({ row }) => row) };
    }
  }
  return { jobs, rows };
}

/** Claims a ready row if it may run; if not, it is put where it belongs. */
function accept(claiming: Claiming, taken: Taken, row: ReadyRow, begun: boolean): boolean {
  const { move, turn } = claiming;
  if (!isPlain(claiming, row)) {
    taken.isPlain = false;
    if (turnAway(claiming, row)) return false;
  }
  row[4] += 1;
  if (!begun) row[10] |= UNBEGUN;
  move.sql(TAKE).run(row[4], turn.fence, turn.owner, begun ? move.now : null, row[10], row[0], row[1]);
  taken.jobs.push(jobOf(claiming, row, begun));
  taken.rows.push(row);
  return true;
}

function isBare(row: ReadyRow): boolean {
  return (row[10] & HUNG_ON) === 0;
}

/** Whether nothing can keep the row from running. */
function isPlain({ move, request, seldom }: Claiming, row: ReadyRow): boolean {
  const expires = row[9];
  return (
    (row[10] & SPECIAL) === 0 &&
    (expires === null || expires > move.now) &&
    seldom.controls.size === 0 &&
    move.queue.knownTasks(request.tasks).has(row[3])
  );
}
