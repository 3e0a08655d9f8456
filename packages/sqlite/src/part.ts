import type { Connection } from "./connection.js";
import type { Key } from "./row.js";

/** No key is greater. */
export const LAST_KEY: Key = "9223372036854775807";

/** The key that ends a part of so many rows, of whatever queue, or `undefined` when it is the last one. */
export function endOfPart(connection: Connection, from: Key, rows: number): Key | undefined {
  const end = connection
    .raw("SELECT CAST(key AS TEXT) FROM {jobs} WHERE key > ? ORDER BY {jobs}.key LIMIT 1 OFFSET ?")
    .get(from, rows - 1) as [Key] | undefined;
  return end?.[0];
}
