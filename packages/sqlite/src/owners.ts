import type { Connection } from "./connection.js";
import type { Move } from "./move.js";

const known = new WeakMap<Connection, Map<string, number>>();

function cacheOf(connection: Connection): Map<string, number> {
  let cache = known.get(connection);
  if (cache === undefined) {
    cache = new Map();
    known.set(connection, cache);
  }
  return cache;
}

/** The number of an owner, if it has one. */
export function ownerNumber(connection: Connection, name: string): number | undefined {
  const cached = cacheOf(connection).get(name);
  if (cached !== undefined) return cached;
  const row = connection.raw("SELECT id FROM {owners} WHERE name = ?").get(name) as [number] | undefined;
  if (row !== undefined) cacheOf(connection).set(name, row[0]);
  return row?.[0];
}

/** The number of an owner; it gets one if it has none. */
export function internOwner(move: Move, name: string): number {
  const { connection } = move.scope;
  const found = ownerNumber(connection, name);
  if (found !== undefined) return found;
  const row = move.raw("INSERT INTO {owners} (name) VALUES (?) RETURNING id").get(name) as [number];
  move.scope.onRollback(() => cacheOf(connection).delete(name));
  return row[0];
}

export function ownerName(connection: Connection, id: number | null): string | undefined {
  if (id === null) return undefined;
  return (connection.raw("SELECT name FROM {owners} WHERE id = ?").get(id) as [string] | undefined)?.[0];
}
