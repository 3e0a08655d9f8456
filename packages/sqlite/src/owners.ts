/** Owners by number: rows of jobs and leases name them by it. */
import type { Connection } from "./connection.js";
import type { Move } from "./move.js";

/** How long it is not written down again that an owner was seen, in milliseconds. */
const SEEN_AGAIN = 6 * 3_600_000;
/** Owners are known for so long at least, in milliseconds: many times as long as connections rely on it. */
const KNOWN_AT_LEAST = 24 * 3_600_000;
/** Owners that one purge forgets, at most. */
const FORGOTTEN = 100;

interface Known {
  readonly id: number;
  /** As it is written down. */
  readonly seen: number;
}

const known = new WeakMap<Connection, Map<string, Known>>();

function cacheOf(connection: Connection): Map<string, Known> {
  let cache = known.get(connection);
  if (cache === undefined) {
    cache = new Map();
    known.set(connection, cache);
  }
  return cache;
}

function isFresh({ seen }: Known, now: number): boolean {
  return Math.abs(now - seen) < SEEN_AGAIN;
}

/** The number of an owner, if it has one. */
export function ownerNumber(connection: Connection, name: string, now: number): number | undefined {
  const cached = cacheOf(connection).get(name);
  if (cached !== undefined && isFresh(cached, now)) return cached.id;
  const row = connection.raw("SELECT id, seen FROM {owners} WHERE name = ?").get(name) as
    | [number, number]
    | undefined;
  if (row === undefined) return undefined;
  const [id, seen] = row;
  cacheOf(connection).set(name, { id, seen });
  return id;
}

/** The number of an owner that claims; it gets one if it has none. */
export function internOwner(move: Move, name: string): number {
  const { now } = move;
  const cache = cacheOf(move.scope.connection);
  const cached = cache.get(name);
  if (cached !== undefined && isFresh(cached, now)) return cached.id;
  const [id] = move
    .raw(
      "INSERT INTO {owners} (name, seen) VALUES (?, ?) " +
        "ON CONFLICT (name) DO UPDATE SET seen = excluded.seen RETURNING id",
    )
    .get(name, now) as [number];
  cache.set(name, { id, seen: now });
  move.scope.onRollback(() => cache.delete(name));
  return id;
}

export function ownerName(connection: Connection, id: number | null): string | undefined {
  if (id === null) return undefined;
  return (connection.raw("SELECT name FROM {owners} WHERE id = ?").get(id) as [string] | undefined)?.[0];
}

/** Rows that may name an owner who is to be forgotten, at most: where there are more, it is put off. */
const LOOKED_AT = 500;

/**
 * Forgets owners that no row names any more; a bounded number. Those that were seen last a day before the oldest job that
 * is kept can be named by rows only that were enqueued before that. The last number stays, so that none is given twice.
 */
export function forgetOwners(move: Move): void {
  const { now } = move;
  const [longest, last] = move
    .raw("SELECT max(max(completed_for, failed_for)), (SELECT max(id) FROM {owners}) FROM {queues}")
    .get() as [number, number];
  const oldest = now - longest;
  const old = move
    .raw(`SELECT id FROM {owners} WHERE seen <= ? AND id < ? ORDER BY seen LIMIT ${FORGOTTEN}`)
    .all(oldest - KNOWN_AT_LEAST, last) as [number][];
  if (old.length === 0) return;
  const named = move
    .raw(`SELECT owner FROM {jobs} WHERE key < ((? + 1) << 21) LIMIT ${LOOKED_AT + 1}`)
    .all(oldest) as [number | null][];
  if (named.length > LOOKED_AT) return;
  const holding = move.raw("SELECT owner FROM {leases}").all() as [number][];
  const needed = new Set([...named, ...holding].map(([id]) => id));
  for (const [id] of old) {
    // One that is needed is looked at again when as much time has passed.
    if (needed.has(id)) move.sql("UPDATE {owners} SET seen = ? WHERE id = ?").run(now, id);
    else move.sql("DELETE FROM {owners} WHERE id = ?").run(id);
  }
}
