/**
 * Runs that no lease has, since somebody has removed its row, rows in no state, and places at gates that no job has: nobody would
 * ever find that they are over. Purging comes by them, and looks once in a while whether there are such.
 */
import type { Connection } from "./connection.js";
import { packKeys, unpackKeys } from "./lease.js";
import type { Move } from "./move.js";
import type { OpenQueue } from "./open-queue.js";
import { finish } from "./final.js";
import { ACTIVE, DAMAGED, QUARANTINED, READY, type Key, type Row } from "./row.js";
import { rowByKey } from "./rows.js";

/** The lease that such a run is given, in milliseconds: its holder, if it lives, renews it before it is over. */
const LENGTH = 30_000;

/** Of a run, or kept for a job that was let go; not of a lock that is held outside of jobs, which expires. */
const LOST_PLACES =
  "WHERE queue = ? AND expires IS NULL AND NOT EXISTS " +
  `(SELECT 1 FROM {jobs} WHERE key = CAST(holder AS INTEGER) AND state IN (${READY}, ${ACTIVE}))`;

/** The runs that leases have, by fence. */
type Held = ReadonlyMap<number, Set<Key>>;

/** Looks for them, with one look at the leases. */
export class OrphanSearch {
  private readonly found: Row[] = [];
  private readonly connection: Connection;
  private readonly queue: OpenQueue;
  private held: Held | undefined;

  constructor(connection: Connection, queue: OpenQueue) {
    this.connection = connection;
    this.queue = queue;
  }

  get hasFound(): boolean {
    return (
      this.found.length > 0 ||
      this.connection.raw(`SELECT 1 FROM {holders} ${LOST_PLACES} LIMIT 1`).get(this.queue.id) !== undefined
    );
  }

  /** A row that is active, or in no state, has come by. */
  look(key: Key): void {
    const row = rowByKey(this.connection, key);
    if (row?.state === DAMAGED) this.found.push(row);
    if (row?.state !== ACTIVE) return;
    this.held ??= heldRuns(this.connection, this.queue);
    if (this.held.get(row.fence)?.has(key) !== true) this.found.push(row);
  }

  /** Gives each run that was found a lease that begins now, ends what is in no state, and gives back lost places. */
  adopt(move: Move): void {
    const places = move.raw(`DELETE FROM {holders} ${LOST_PLACES} RETURNING gate`);
    for (const [gate] of places.all(move.queue.id) as [unknown][])
      if (typeof gate === "string") move.opened.add(gate);
    for (const row of this.found.splice(0)) {
      if (row.state === DAMAGED) finish(move, row, QUARANTINED, { reason: row.reason, cause: null });
      else giveLease(move, row);
    }
    // Read anew, with those.
    this.held = undefined;
  }
}

function heldRuns(connection: Connection, { id }: OpenQueue): Held {
  const held = new Map<number, Set<Key>>();
  const leases = connection.raw("SELECT fence, jobs FROM {leases} WHERE queue = ?").all(id) as [
    number,
    Buffer,
  ][];
  for (const [fence, jobs] of leases) {
    const keys = held.get(fence) ?? new Set();
    held.set(fence, keys);
    for (const key of unpackKeys(jobs)) keys.add(key);
  }
  return held;
}

function giveLease(move: Move, row: Row): void {
  move
    .sql(
      "INSERT INTO {leases} (queue, fence, owner, request, until, length, jobs) VALUES (?, ?, ?, 0, ?, ?, ?)",
    )
    .run(move.queue.id, row.fence, row.owner ?? 0, move.now + LENGTH, LENGTH, packKeys([row]));
}
