import type { MovedRecord } from "@taskq/core/storage";
import type { Connection } from "./connection.js";
import type { OpenQueue } from "./open-queue.js";
import { idOf, type Key } from "./row.js";
import { rowByKey } from "./rows.js";

export interface Exporting {
  readonly connection: Connection;
  readonly queue: OpenQueue;
  readonly now: number;
}

/** A record, and where its section goes on behind it. */
export type Placed = readonly [record: MovedRecord, after: readonly (string | number)[]];
export type After = readonly (string | number)[];

/**
 * Reads on behind a place; with fewer than asked for, the section is at its end. Where records may be large, each is read
 * as it is asked for: a page may be full before.
 */
export type Section = (exporting: Exporting, after: After, limit: number) => Iterable<Placed>;

/** The id of a row; empty where there is none. */
export function idByKey(connection: Connection, key: Key): string {
  const row = rowByKey(connection, key);
  return row === undefined ? "" : idOf(row);
}
