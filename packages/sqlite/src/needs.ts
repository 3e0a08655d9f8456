/** What has to stay although its retention has passed. */
import type { Connection } from "./connection.js";
import { edgesFrom, ON_FAILED, TURN } from "./edge-rows.js";
import { COMPLETED, FOLLOWED, isFinalState, JOIN, SKIPPED, type Key, type Row } from "./row.js";
import { rowByKey } from "./rows.js";

/**
 * Whether something unfinished depends on final rows: what follows one, or reads it through joins and skipped jobs.
 *
 * What is found out of one row is remembered for those behind it, of which a pipe may have thousands. So it is for one move
 * that ends nothing and opens nothing again.
 */
export class Needs {
  private readonly connection: Connection;
  private readonly known = new Map<Key, boolean>();

  constructor(connection: Connection) {
    this.connection = connection;
  }

  isNeeded(row: Row): boolean {
    if ((row.flags & FOLLOWED) === 0) return false;
    const known = this.known.get(row.key);
    if (known !== undefined) return known;
    // Of each, the one that led to it.
    const reached = new Map<Key, Key | undefined>([[row.key, undefined]]);
    for (const key of reached.keys()) {
      for (const follower of followersOf(this.connection, key)) {
        if (this.waits(follower)) {
          for (let on: Key | undefined = key; on !== undefined; on = reached.get(on))
            this.known.set(on, true);
          return true;
        }
        if (isReadThrough(follower) && !this.known.has(follower.key) && !reached.has(follower.key)) {
          reached.set(follower.key, key);
        }
      }
    }
    for (const key of reached.keys()) this.known.set(key, false);
    return false;
  }

  /** Whether it is unfinished, or read for something that is. */
  private waits(row: Row): boolean {
    if (!isFinalState(row.state)) return true;
    return isReadThrough(row) && this.known.get(row.key) === true;
  }
}

function isReadThrough({ state, flags }: Row): boolean {
  return (flags & JOIN) !== 0 || state === SKIPPED;
}

/**
 * Whether it is read as a part of a group that is kept: one that nothing is given to, so that whoever waits for it is told
 * what its members yielded.
 */
export function isOfKeptGroup(connection: Connection, row: Row): boolean {
  if ((row.flags & FOLLOWED) === 0) return false;
  const keys = new Set<Key>([row.key]);
  for (const key of keys) {
    for (const group of followersOf(connection, key)) {
      if ((group.flags & JOIN) === 0 || group.state !== COMPLETED) continue;
      if (edgesFrom(connection, group.key).every((edge) => leadsNowhere(edge.condition))) return true;
      keys.add(group.key);
    }
  }
  return false;
}

function* followersOf(connection: Connection, key: Key): Generator<Row> {
  for (const { target, condition } of edgesFrom(connection, key)) {
    const follower = condition === TURN ? undefined : rowByKey(connection, target);
    if (follower !== undefined) yield follower;
  }
}

function leadsNowhere(condition: number): boolean {
  return condition === ON_FAILED || condition === TURN;
}
