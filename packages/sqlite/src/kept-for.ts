import type { OpenQueue } from "./open-queue.js";
import { COMPLETED, metaOf } from "./row.js";

/** How long a final row is kept: as its own says, or else as the queue does. */
export function keptFor({ retention }: OpenQueue, state: number, meta: string | null): number {
  const keep = meta === null ? undefined : metaOf({ meta }).keep;
  const { completed, failed } = retention;
  return state === COMPLETED ? (keep?.completed ?? completed.for) : (keep?.failed ?? failed.for);
}
