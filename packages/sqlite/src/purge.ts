import { KEPT_AT_LEAST, type PurgeRequest } from "@taskq/core/storage";
import { numberIfAny } from "./columns.js";
import { complete } from "./consequences.js";
import type { Connection } from "./connection.js";
import { flush } from "./flush.js";
import { forgetOld, hasOld } from "./forget.js";
import { keptFor } from "./kept-for.js";
import type { Move } from "./move.js";
import { LEAVING } from "./moving.js";
import { NOTHING_PASSED, type OpenQueue, type Passed } from "./open-queue.js";
import { hasOver, removeCapped } from "./over-caps.js";
import { endOfPart, LAST_KEY } from "./part.js";
import { isOfKeptGroup, Needs } from "./needs.js";
import { removeRow } from "./removal.js";
import { OrphanSearch } from "./orphans.js";
import {
  ACTIVE,
  COMPLETED,
  DAMAGED,
  isFinalState,
  JOIN,
  KEPT,
  keyOf,
  stateOf,
  type Key,
  type Row,
} from "./row.js";
import { rowByKey } from "./rows.js";
import { completedOf } from "./turn.js";

/** Rows that a step looks at by the way, at least; and for each run that it settles, so that purging keeps up. */
const LOOKED_AT_PER_STEP = 64;
const LOOKED_AT_PER_RUN = 2;
/** Rows that a purge looks at in one call. */
const LOOKED_AT_PER_CALL = 20_000;
/** Rows that are read at a time. */
const PAGE = 200;
/** Rows of whatever queue that are passed on the way to those; and as how many of its own they count. */
const PASSED = 5_000;
const PASSED_AS = 64;
/** Milliseconds between two walks over the rows, when a walk has found nothing more. */
const PAUSE = 1000;
/** Milliseconds between two walks that look for runs without a lease. */
const SEARCH_EVERY = 60_000;

/** Removes what is due, or everything. */
export function purge(
  move: Move,
  request: PurgeRequest,
): { readonly removed: number; readonly more: boolean } {
  if (request.everything === true) return flush(move, request.limit);
  const walk = new Walk(move.scope.connection, move.queue, move.now, FIRST);
  let removed = removeFound(move, walk, request.limit, LOOKED_AT_PER_CALL);
  // A group that went let its members go, which the walk had passed by then.
  for (let found = removed; found > 0 && walk.atEnd && removed < request.limit; removed += found) {
    walk.again();
    found = removeFound(move, walk, request.limit - removed, LOOKED_AT_PER_CALL);
  }
  if (!walk.isStill && removed < request.limit) {
    move.queue.cappedLooks.clear();
    removed += removeCapped(move, LOOKED_AT_PER_CALL, request.limit - removed);
  }
  forgetOld(move);
  complete(move);
  return { removed, more: removed >= request.limit || !walk.atEnd };
}

/** What a step removes by the way: a bounded number of rows, beginning where the last step ended. */
export function purgeSome(move: Move, settled: number): void {
  const { queue } = move;
  const looks = LOOKED_AT_PER_STEP + LOOKED_AT_PER_RUN * settled;
  if (isTooEarly(queue, move.now)) {
    if (move.hasCapped) removeCapped(move, looks);
    return;
  }
  const walk = new Walk(move.scope.connection, queue, move.now, whereFrom(queue));
  removeFound(move, walk, looks, looks);
  if (!walk.isStill && (walk.atEnd || move.hasCapped)) removeCapped(move, looks);
  const isLeft = walk.atEnd && !walk.isStill && forgetOld(move);
  planNext(queue, walk, move.now, isLeft);
}

/** Looks, without writing, whether a step would remove something. */
export function hasPurgeable(connection: Connection, queue: OpenQueue, now: number): boolean {
  if (isTooEarly(queue, now)) return false;
  const walk = new Walk(connection, queue, now, whereFrom(queue));
  if (walk.next(LOOKED_AT_PER_STEP) !== undefined || walk.orphans?.hasFound === true) return true;
  if (walk.atEnd && !walk.isStill) {
    if (hasOver(connection, queue, now, LOOKED_AT_PER_STEP)) return true;
    if (hasOld(connection, queue, now)) return true;
  }
  planNext(queue, walk, now);
  return false;
}

/** A clock that was set back does not put purging off. */
function isTooEarly({ purgeAt }: OpenQueue, now: number): boolean {
  return purgeAt > now && purgeAt - now <= PAUSE;
}

/** @param isLeft whether there was more than one step may do */
function planNext(queue: OpenQueue, walk: Walk, now: number, isLeft = false): void {
  const { cursor, passed } = walk.atEnd ? FIRST : walk;
  queue.purgeFrom = cursor;
  queue.purgePassed = passed;
  queue.purgeAt = walk.atEnd && !isLeft ? now + PAUSE : now;
  if (walk.atEnd) planSearch(queue, now);
}

/** The next walk looks for runs without a lease, if none has for a while. */
function planSearch(queue: OpenQueue, now: number): void {
  queue.searchesOrphans = Math.abs(now - queue.searchedAt) >= SEARCH_EVERY;
  if (queue.searchesOrphans) queue.searchedAt = now;
}

function removeFound(move: Move, walk: Walk, limit: number, looks: number): number {
  let removed = 0;
  while (removed < limit) {
    const row = walk.next(looks);
    if (row === undefined) break;
    removeRow(move, row);
    removed += 1;
  }
  walk.orphans?.adopt(move);
  return removed;
}

/** The few columns that say whether a row may be due. */
type Glance = [
  key: Key,
  time: number,
  state: number,
  ended: number | null,
  flags: number,
  /** Of a row that says itself how long it is kept. */
  meta: string | null,
];

/** Where a walk begins. */
interface From {
  readonly cursor: Key;
  readonly passed: Passed;
}

const FIRST: From = { cursor: "-1", passed: NOTHING_PASSED };

function whereFrom({ purgeFrom, purgePassed }: OpenQueue): From {
  return { cursor: purgeFrom, passed: purgePassed };
}

/** What is decided for a whole walk. */
interface Bounds {
  /** Rows made after this instant cannot be due: nothing is kept for a shorter time. */
  readonly horizon: number;
  /** How many of the oldest completed jobs are more than the queue keeps, behind those that were passed, and of others. */
  completed: number;
  others: number;
  readonly isStill: boolean;
}

/** Finds final rows that need not be kept, from the oldest on. */
class Walk {
  cursor: Key;
  /** Of those that are more than the queue keeps, how many stay since something unfinished needs them. */
  passed: Passed;
  atEnd = false;
  private readonly connection: Connection;
  private readonly queue: OpenQueue;
  private readonly now: number;
  private readonly bounds: Bounds;
  private readonly needs: Needs;
  private looked = 0;
  private glances: Glance[] = [];
  private position = 0;
  /** Looks, on some walks, for runs that no lease has. */
  readonly orphans: OrphanSearch | undefined;
  /** Where to go on behind those, where only rows of other queues follow. */
  private behind: Key | undefined;

  constructor(connection: Connection, queue: OpenQueue, now: number, { cursor, passed }: From) {
    this.connection = connection;
    this.queue = queue;
    this.now = now;
    this.cursor = cursor;
    this.passed = passed;
    this.bounds = boundsOf(connection, queue, now);
    this.needs = new Needs(connection);
    this.bounds.completed -= passed.completed;
    this.bounds.others -= passed.others;
    if (queue.searchesOrphans) this.orphans = new OrphanSearch(connection, queue);
  }

  /** The next one, unless so many rows have been looked at. */
  next(looks: number): Row | undefined {
    for (;;) {
      const glance = this.glances[this.position];
      if (glance === undefined) {
        this.cursor = this.behind ?? this.cursor;
        this.behind = undefined;
        if (this.atEnd || !this.read(Math.min(looks - this.looked, PAGE))) return undefined;
        continue;
      }
      this.position += 1;
      if (this.isBeyond(glance)) {
        this.atEnd = true;
        return undefined;
      }
      this.cursor = glance[0];
      const row = this.due(glance);
      if (row !== undefined) return row;
    }
  }

  /** From the oldest on once more. */
  again(): void {
    this.cursor = FIRST.cursor;
    this.bounds.completed += this.passed.completed;
    this.bounds.others += this.passed.others;
    this.passed = FIRST.passed;
    this.atEnd = false;
    this.looked = 0;
    this.glances = [];
    this.position = 0;
    this.behind = undefined;
  }

  get isStill(): boolean {
    return this.bounds.isStill;
  }

  private read(size: number): boolean {
    if (size <= 0) return false;
    if (this.isStill) {
      this.atEnd = true;
      return false;
    }
    const end = this.lastKey();
    const { connection, queue } = this;
    this.glances = connection.raw(GLANCES).all(this.cursor, end, PASSED, queue.id, size) as Glance[];
    this.position = 0;
    this.looked += this.glances.length;
    if (this.glances.length === size) return true;
    this.behind = endOfPart(connection, this.cursor, PASSED);
    if (this.behind === undefined || BigInt(this.behind) >= BigInt(end)) {
      this.behind = undefined;
      this.atEnd = true;
      return this.glances.length > 0;
    }
    this.looked += PASSED_AS;
    return true;
  }

  /** The greatest that may be due. */
  private lastKey(): Key {
    const { horizon, completed, others } = this.bounds;
    if (completed > 0 || others > 0) return LAST_KEY;
    return horizon < 0 ? "-1" : keyOf(Math.floor(horizon) + 1, 0);
  }

  /** Keys are in the order of time: behind the first young row there are only young ones. */
  private isBeyond([, time]: Glance): boolean {
    const { horizon, completed, others } = this.bounds;
    return time > horizon && completed <= 0 && others <= 0;
  }

  private due([key, time, state, ended, flags, meta]: Glance): Row | undefined {
    if (state === ACTIVE || (ended === null && stateOf(state) === DAMAGED)) this.orphans?.look(key);
    if (!isFinalState(stateOf(state)) || ended === null) return undefined;
    const over =
      (flags & JOIN) === 0 &&
      (state === COMPLETED ? this.bounds.completed : this.bounds.others) > 0 &&
      !this.isYoung(time, ended);
    const isPast = ended + keptFor(this.queue, state, meta) <= this.now;
    if (!over && !isPast) return undefined;
    const row = rowByKey(this.connection, key);
    if (row === undefined) return undefined;
    const stays = this.needs.isNeeded(row) || (isPast && isOfKeptGroup(this.connection, row));
    if (over) this.count(state === COMPLETED ? "completed" : "others", stays);
    return stays ? undefined : row;
  }

  /**
   * Whether it has just ended, long after its enqueue: the order of keys, by which the oldest are found, would have it go
   * before whoever waits for it has read it. Others go in its place meanwhile.
   */
  private isYoung(time: number, ended: number): boolean {
    return ended > this.now - KEPT_AT_LEAST && ended - time > KEPT_AT_LEAST;
  }

  /** One of the oldest that are more than the queue keeps, whether it goes or stays. */
  private count(of: keyof Passed, stays: boolean): void {
    this.bounds[of] -= 1;
    if (stays) this.passed = { ...this.passed, [of]: this.passed[of] + 1 };
  }
}

const GLANCES =
  // Of the inner rows no more are read than the outer ones ask for.
  `SELECT CAST(key AS TEXT), key >> 21, state, ended, flags, CASE WHEN flags & ${KEPT} <> 0 THEN meta END FROM ` +
  "(SELECT key, queue, state, ended, flags, meta FROM {jobs} WHERE key > ? AND key <= ? ORDER BY {jobs}.key LIMIT ? + 0) " +
  "WHERE queue = ? LIMIT ? + 0";

function boundsOf(connection: Connection, queue: OpenQueue, now: number): Bounds {
  const [others, shortest, phase] = connection
    .raw(
      "SELECT failed + cancelled + expired + skipped + quarantined, shortest, phase FROM {queues} WHERE id = ?",
    )
    .get(queue.id) as [number, unknown, number];
  // What is read by a move, or filled by one, stays as it is.
  if (phase > LEAVING) return { horizon: -Infinity, completed: 0, others: 0, isStill: true };
  const { retention } = queue;
  const kept = Math.min(retention.completed.for, retention.failed.for, numberIfAny(shortest) ?? Infinity);
  return {
    horizon: now - kept,
    completed: completedOf(connection, queue) - retention.completed.max,
    others: others - retention.failed.max,
    isStill: false,
  };
}
