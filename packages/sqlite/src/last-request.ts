import type { Connection } from "./connection.js";
import type { OpenQueue } from "./open-queue.js";
import { ownerNumber } from "./owners.js";

export interface LastRequest {
  readonly request: number;
  readonly fence: number;
}

/** The last claiming request of an owner: as this process remembers it, or by a lease that it still holds. */
export function lastRequest(
  connection: Connection,
  queue: OpenQueue,
  owner: string,
  now: number,
): LastRequest | undefined {
  const known = queue.requests.get(owner);
  if (known !== undefined) return known;
  const number = ownerNumber(connection, owner, now);
  if (number === undefined) return undefined;
  return connection
    .sql("SELECT request, fence FROM {leases} WHERE queue = ? AND owner = ? ORDER BY request DESC LIMIT 1")
    .get(queue.id, number) as LastRequest | undefined;
}
