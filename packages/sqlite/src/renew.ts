import type { RenewAnswer, RenewRequest, RunReference } from "@taskq/core/storage";
import { LEASE_COLUMNS, packKeys, unpackKeys, type LeaseKey, type LeaseRow } from "./lease.js";
import type { Move } from "./move.js";
import { ownerNumber } from "./owners.js";
import { ACTIVE, type Key, type Row } from "./row.js";
import { jobById } from "./rows.js";
import { revokedOf } from "./step.js";

/** Extends the leases of the runs that are still the owner's. */
export function renew(move: Move, request: RenewRequest): RenewAnswer {
  const leaseUntil = move.now + request.lease;
  const owner = ownerNumber(move.scope.connection, request.owner, move.now);
  const kept = new Map<number, Set<Key>>();
  const lost: RunReference[] = [];
  for (const run of request.runs) {
    const row = jobById(move.scope.connection, move.queue, run.id);
    if (row === undefined || !isHeld(row, run.fence, owner)) {
      lost.push(run);
      continue;
    }
    const keys = kept.get(run.fence);
    if (keys === undefined) kept.set(run.fence, new Set([row.key]));
    else keys.add(row.key);
  }
  const leases = leasesByFence(move, kept);
  for (const [fence, keys] of kept) {
    extend(move, { leases: leases.get(fence) ?? [], fence, keys, length: request.lease, until: leaseUntil });
  }
  return { leaseUntil, lost, revoked: revokedOf(move, request.owner) };
}

function isHeld(row: Row, fence: number, owner: number | undefined): boolean {
  return row.state === ACTIVE && row.fence === fence && row.owner === owner;
}

/** The leases under these fences, found in one look at all: no index has them, and a consumer may hold a thousand. */
function leasesByFence(
  { scope, queue }: Move,
  fences: ReadonlyMap<number, unknown>,
): Map<number, LeaseRow[]> {
  const found = new Map<number, LeaseRow[]>();
  if (fences.size === 0) return found;
  const rows = scope.connection
    .sql(
      `SELECT ${LEASE_COLUMNS} FROM {leases} WHERE queue = ? AND fence IN (SELECT value FROM json_each(?)) ` +
        "ORDER BY until DESC",
    )
    .all(queue.id, JSON.stringify([...fences.keys()])) as LeaseRow[];
  for (const row of rows) {
    const known = found.get(row.fence);
    if (known === undefined) found.set(row.fence, [row]);
    else known.push(row);
  }
  return found;
}

interface Extension {
  readonly leases: readonly LeaseRow[];
  readonly fence: number;
  readonly keys: ReadonlySet<Key>;
  readonly length: number;
  readonly until: number;
}

/** Extends a lease; runs of it that the owner does not ask for keep the old one, in a row of their own. */
function extend(move: Move, { leases, fence, keys, length, until }: Extension): void {
  for (const row of leases) {
    const others = unpackKeys(row.jobs).filter((key) => !keys.has(key) && isActive(move, key, fence));
    if (others.length > 0) split(move, row, others);
    move
      .sql("UPDATE {leases} SET until = ?, length = ?, suspect = NULL WHERE id = ?")
      .run(until, length, row.id);
  }
}

function isActive(move: Move, key: Key, fence: number): boolean {
  return (
    move.raw("SELECT 1 FROM {jobs} WHERE key = ? AND state = 4 AND fence = ?").get(key, fence) !== undefined
  );
}

function split(move: Move, lease: LeaseRow, others: readonly Key[]): void {
  const kept = unpackKeys(lease.jobs).filter((key) => !others.includes(key));
  move
    .sql("UPDATE {leases} SET jobs = ? WHERE id = ?")
    .run(packKeys(kept.map((key) => partsOf(move, key))), lease.id);
  move
    .sql(
      "INSERT INTO {leases} (queue, fence, owner, request, until, length, suspect, jobs) " +
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .run(
      move.queue.id,
      lease.fence,
      lease.owner,
      lease.request,
      lease.until,
      lease.length,
      lease.suspect,
      packKeys(others.map((key) => partsOf(move, key))),
    );
}

function partsOf(move: Move, key: Key): LeaseKey {
  return move
    .sql("SELECT CAST(? AS INTEGER) >> 21 AS time, CAST(? AS INTEGER) & 2097151 AS low")
    .get(key, key) as LeaseKey;
}
