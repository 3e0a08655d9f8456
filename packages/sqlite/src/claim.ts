import {
  CLAIM_SLACK,
  joinId,
  TaskqError,
  type ClaimedJob,
  type ClaimRequest,
  type JobGuards,
  type StepRequest,
} from "@taskq/core/storage";
import { bytesOf } from "./bytes.js";
import { followConsequences } from "./consequences.js";
import { finish, freeOnStart, NO_REASON, releaseGates } from "./final.js";
import { gateName, isClosed, takeGate } from "./gates.js";
import { isUsedUp, takeStart } from "./limits.js";
import type { Move } from "./move.js";
import type { SeldomState } from "./open-queue.js";
import { makeReady, park } from "./line.js";
import { skipIfDead } from "./readiness.js";
import { activeRow, MANY, readyRow, readyRows, type ReadyRow } from "./ready-rows.js";
import {
  AT_MOST_ONCE,
  CANCELLED,
  EXPIRED,
  FOLLOWER,
  GATED,
  idOf,
  keyOf,
  metaOf,
  NAMED,
  NEVER_AHEAD,
  READY,
  TRUNKED,
  UNBEGUN,
  UNIQUE,
  VERDICT,
  type Meta,
  type Row,
} from "./row.js";
import { jobById, rowByKey } from "./rows.js";
import { unpackKeys } from "./lease.js";
import { isRevoked } from "./seldom.js";
import { sourcesOf } from "./sources.js";
import { openLine } from "./unknown.js";

/** Found first and changed after: cheaper than one UPDATE with RETURNING, and what may not run is left as it was. */
const TAKE =
  "UPDATE {jobs} SET state = 4, attempt = ?, fence = ?, owner = ?, started = ?, flags = ?, pad = NULL " +
  "WHERE key = (? << 21) | ?";

/** The first so many that are ready, as they have just been read. */
const TAKE_MANY =
  "UPDATE {jobs} SET state = 4, attempt = attempt + 1, fence = ?, owner = ?, started = ?, flags = flags | ?, " +
  "pad = NULL WHERE key IN (SELECT key FROM {jobs} WHERE queue = ? AND state = 0 " +
  "ORDER BY priority DESC, due, {jobs}.key LIMIT ? + 0)";

/** Flags of rows that are looked at more closely before they run. */
const SPECIAL = GATED | UNIQUE | TRUNKED | FOLLOWER | NAMED;
/** Flags of rows that are not claimed ahead. */
const NOT_AHEAD = GATED | AT_MOST_ONCE | NEVER_AHEAD;

export interface Claiming {
  readonly move: Move;
  readonly request: StepRequest;
  readonly claim: ClaimRequest;
  readonly fence: number;
  readonly owner: number;
  readonly seldom: SeldomState;
}

export interface Claimed {
  readonly jobs: readonly ClaimedJob[];
  readonly keys: readonly { readonly time: number; readonly low: number }[];
  readonly more: boolean;
}

/** Claims what may run, up to the number asked for. */
export function claimJobs(claiming: Claiming): Claimed {
  const taken: Taken = { jobs: [], rows: [], begun: 0, passedOver: 0, slack: CLAIM_SLACK, more: false };
  if (claiming.claim.ids === undefined) {
    takeFirst(claiming, taken);
    claiming.move.queue.reach = reachAfter(taken);
  } else takeIds(claiming, taken, claiming.claim.ids);
  return { jobs: inOrder(taken), keys: taken.rows.map(([time, low]) => ({ time, low })), more: taken.more };
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
}

/** Where jobs stand that are not claimed ahead, the next claim looks no further than it may find others: all it reads costs. */
function reachAfter({ passedOver, jobs, begun }: Taken): number {
  return passedOver === 0 ? Infinity : CLAIM_SLACK + 2 * (jobs.length - begun);
}

function takeFirst(claiming: Claiming, taken: Taken): void {
  const { move, claim } = claiming;
  const wanted = claim.begin + Math.min(claim.ahead, move.queue.reach);
  const doomed = claiming.seldom.doomed.length > 0;
  for (
    let left = wanted;
    left > 0 && taken.slack > 0;
    left = Math.min(wanted - taken.jobs.length, taken.slack)
  ) {
    const { slack } = taken;
    const rows = readyRows(move, { doomed, limit: left, offset: taken.passedOver });
    if (areAllPlain(claiming, taken, rows)) takeAll(claiming, taken, rows);
    else if (takeInTurn(claiming, taken, rows)) continue;
    // What was turned away may have let others go.
    if (taken.slack < slack) followConsequences(move);
    else if (rows.length < left) return;
  }
  taken.more = true;
}

/** Whether it stopped since a start has let others go: those may come before the next one. */
function takeInTurn(claiming: Claiming, taken: Taken, rows: readonly ReadyRow[]): boolean {
  const { move } = claiming;
  for (const row of rows) {
    take(claiming, taken, row);
    if (move.freed.size === 0) continue;
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

function takeMany({ move, fence, owner }: Claiming, count: number, begun: boolean): void {
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

function inOrder({ jobs, rows }: Taken): readonly ClaimedJob[] {
  for (let index = 1; index < rows.length; index += 1) {
    if (byTurn(rows[index - 1] as ReadyRow, rows[index] as ReadyRow) > 0) {
      const paired = jobs.map((job, position) => ({ job, row: rows[position] as ReadyRow }));
      return paired.toSorted((a, b) => byTurn(a.row, b.row)).map(({ job }) => job);
    }
  }
  return jobs;
}

/** Claims a ready row if it may run; if not, it is put where it belongs. */
function accept(claiming: Claiming, taken: Taken, row: ReadyRow, begun: boolean): boolean {
  const { move, fence, owner } = claiming;
  if (!isPlain(claiming, row) && turnAway(claiming, row)) return false;
  row[4] += 1;
  if (!begun) row[10] |= UNBEGUN;
  move.sql(TAKE).run(row[4], fence, owner, begun ? move.now : null, row[10], row[0], row[1]);
  taken.jobs.push(jobOf(claiming, row, begun));
  taken.rows.push(row);
  return true;
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

/** Puts a ready row that may not run where it belongs; answers whether it did. */
function turnAway(claiming: Claiming, claimed: ReadyRow): boolean {
  const { move, seldom } = claiming;
  const [time, low, , task] = claimed;
  const row = rowByKey(move.scope.connection, keyOf(time, low)) as Row;
  if (row.state !== READY) return true;
  if (row.expires !== null && row.expires <= move.now) {
    finish(move, row, EXPIRED, NO_REASON);
    move.effect(row, "expired");
    return true;
  }
  if (skipIfDead(move, row)) return true;
  const control = seldom.controls.get(task);
  const standing = standingGate(claiming, task, control?.paused === true);
  if (standing !== undefined) {
    releaseGates(move, row);
    parkStanding(move, row, standing);
    return true;
  }
  if (isRevoked(control, move.now)) {
    cancelRevoked(claiming, row, control?.once === true);
    return true;
  }
  return (row.flags & GATED) !== 0 && !passGates(claiming, claimed, row);
}

function cancelRevoked({ move, seldom }: Claiming, row: Row, once: boolean): void {
  finish(move, row, CANCELLED, { reason: "revoked", cause: null });
  move.effect(row, "cancelled", row);
  if (!once) return;
  const controls = seldom.controls as Map<string, unknown>;
  controls.delete(row.task);
  dropRevocation(move, row.task);
}

/** The revocation of a task is used up, or taken back. */
export function dropRevocation(move: Move, task: string): void {
  move
    .sql("UPDATE {controls} SET revoked = 0, once = 0, until = NULL WHERE queue = ? AND task = ?")
    .run(move.queue.id, task);
  move
    .sql("DELETE FROM {controls} WHERE queue = ? AND task = ? AND paused = 0 AND revoked = 0")
    .run(move.queue.id, task);
  move.changeSeldom();
}

/** The gate of a task that is paused, or that the owner does not know. */
function standingGate({ move, request }: Claiming, task: string, paused: boolean): string | undefined {
  if (!move.queue.knownTasks(request.tasks).has(task)) return `task:${task}`;
  return paused ? `pause:${task}` : undefined;
}

/** Parks a row under a gate that the queue remembers until it has let all go. */
function parkStanding(move: Move, row: Row, gate: string): void {
  park(move, row, gate);
  if (openLine(move, gate)) move.changeSeldom();
}

/** Takes the gates of a row, or hands it over with a verdict, or parks it. */
function passGates(claiming: Claiming, claimed: ReadyRow, row: Row): boolean {
  const { move, request } = claiming;
  const meta = metaOf(row);
  const gates = meta.gates ?? [];
  const closed = gates.find((gate) =>
    gate.kind === "limit" ? isUsedUp(move, row.key, gate) : isClosed(move, row, gate),
  );
  if (closed === undefined) {
    for (const gate of gates) {
      if (gate.kind === "limit") takeStart(move, row, gate, claiming.fence);
      else takeGate(move, row, gate, { owner: request.owner, fence: claiming.fence });
    }
    return true;
  }
  releaseGates(move, row);
  if (closed.onBusy === "wait") {
    park(move, row, gateName(closed));
    // It has to be told when the limit opens.
    if (closed.kind === "limit") move.opened.add(gateName(closed));
    return false;
  }
  const verdict: Meta["verdict"] = { kind: closed.onBusy, gate: closed.key, gateKind: closed.kind };
  claimed[12] = JSON.stringify({ ...meta, verdict });
  claimed[10] |= VERDICT;
  move.sql("UPDATE {jobs} SET meta = ? WHERE key = ?").run(claimed[12], row.key);
  return true;
}

function jobOf(claiming: Claiming, claimed: ReadyRow, begun: boolean): ClaimedJob {
  const [
    time,
    low,
    random,
    task,
    attempt,
    failures,
    crashes,
    priority,
    due,
    expires,
    flags,
    enqueued,
    meta,
    body,
  ] = claimed;
  const { move, claim, fence } = claiming;
  const special = (flags & SPECIAL) !== 0;
  if (special && (flags & UNIQUE) !== 0 && begun) {
    freeOnStart(move, rowByKey(move.scope.connection, keyOf(time, low)) as Row);
  }
  const parts = special ? specialParts(move, claimed) : undefined;
  return {
    id: parts?.id ?? joinId({ time, low, random }),
    task,
    fence,
    attempt,
    failures,
    crashes,
    priority,
    enqueuedAt: enqueued ?? time,
    due,
    expiresAt: expires ?? undefined,
    delivery: (flags & AT_MOST_ONCE) === 0 ? "at-least-once" : "at-most-once",
    body: bytesOf(body),
    begun,
    leaseUntil: move.now + claim.lease,
    verdict: (flags & VERDICT) === 0 ? undefined : metaOf({ meta }).verdict,
    sources: parts?.sources,
    guards: parts?.guards,
  };
}

interface SpecialParts {
  readonly id: string;
  readonly sources: ClaimedJob["sources"];
  readonly guards: JobGuards | undefined;
}

function specialParts(move: Move, claimed: ReadyRow): SpecialParts {
  const [time, low, random, , , , , , , , flags, , meta] = claimed;
  const content = metaOf({ meta });
  const { connection } = move.scope;
  return {
    id: idOf({ time, low, random, meta }),
    sources: (flags & FOLLOWER) === 0 ? undefined : sourcesOf(connection, move.queue, keyOf(time, low)),
    guards: guardsOf(content),
  };
}

function guardsOf({ gates, unique, after }: Meta): JobGuards | undefined {
  if (gates === undefined && unique === undefined && after === undefined) return undefined;
  return { gates: (gates ?? []).map(({ key }) => key), unique: unique?.key, after: after ?? [] };
}

/** The runs of a request that was answered before, and whose answer got lost. */
export function claimedBefore(move: Move, request: StepRequest, fence: number): readonly ClaimedJob[] {
  const lease = move
    .sql("SELECT jobs, until, length FROM {leases} WHERE queue = ? AND fence = ?")
    .get(move.queue.id, fence) as { jobs: Buffer; until: number; length: number } | undefined;
  if (lease === undefined || request.claim === undefined) return [];
  const jobs: ClaimedJob[] = [];
  for (const key of unpackKeys(lease.jobs)) {
    const row = activeRow(move, key, fence);
    if (row === undefined) continue;
    const claiming = { move, claim: request.claim, fence } as Claiming;
    jobs.push({ ...jobOf(claiming, row, (row[10] & UNBEGUN) === 0), leaseUntil: lease.until });
  }
  return jobs;
}
