import { randomInt } from "node:crypto";
import { splitId, TaskqError, type IdParts, type NewJob } from "@taskq/core/storage";
import type { FlowShape } from "./flow-shape.js";
import type { Move } from "./move.js";
import { keyOf, type Key } from "./row.js";
import { keyById } from "./rows.js";

/** Stands for the trunk outside the flow. */
export const OUTSIDE = "";

/** The key of a row that is about to be stored. */
export interface Place extends IdParts {
  readonly key: Key;
}

/** How the rows of a flow find their places. */
export interface Placing {
  readonly move: Move;
  readonly rows: ReadonlyMap<string, Place>;
  readonly shape: FlowShape;
  /** Key of the join to which the end leads. */
  readonly trunk: Key | undefined;
  /** Ids that stand for others: ends of flows of the same call that were there already. */
  readonly ends: ReadonlyMap<string, string>;
  /** Sources that were stored before. */
  readonly outside: Set<Key>;
}

/**
 * A generated id is its own key; another one gets a key of the same kind, as does one whose key is taken: the key of the
 * id that would have been made for it, where that is told and free.
 */
export function placeOf(
  move: Move,
  { id, named = false, order }: Pick<NewJob, "id" | "order"> & { readonly named?: boolean | undefined },
  elsewhere: boolean,
): Place {
  const own = splitId(named ? (order ?? "") : id);
  const parts = own === undefined || ((named || elsewhere) && isTaken(move, own)) ? freeKey(move) : own;
  return { ...parts, key: keyOf(parts.time, parts.low) };
}

/** Whether a row is found by its name, since its id is not its key. */
export function isNamed(place: Place, id: string): boolean {
  const own = splitId(id);
  return own === undefined || keyOf(own.time, own.low) !== place.key;
}

function isTaken(move: Move, { time, low }: IdParts): boolean {
  return move.raw("SELECT 1 FROM {jobs} WHERE key = (? << 21) | ?").get(time, low) !== undefined;
}

/** Ids that core makes have a random number of twelve bits there, and then a counter of nine. */
const COUNTER_BITS = 9;
let tag = randomInt(2 ** 12);
let counter = 0;
let countedFor = 0;

/** A key of this moment that nobody has, after those made before. */
function freeKey(move: Move): IdParts {
  for (;;) {
    if (move.now !== countedFor) {
      countedFor = move.now;
      counter = 0;
    } else if (++counter === 2 ** COUNTER_BITS) {
      tag = (tag + 1) % 2 ** 12;
      counter = 0;
    }
    const low = tag * 2 ** COUNTER_BITS + counter;
    const parts = { time: move.now, low, random: randomInt(2 ** 40) };
    if (!isTaken(move, parts)) return parts;
  }
}

/** The key of a row of the flow, or of one that was stored before. @throws `TASKQ_STORAGE` */
export function keyText({ move, rows, ends }: Placing, id: string): Key {
  const { connection } = move.scope;
  const end = ends.get(id);
  const key =
    rows.get(id)?.key ??
    keyById(connection, move.queue, id) ??
    (end === undefined ? undefined : keyById(connection, move.queue, end));
  if (key === undefined) {
    throw new TaskqError("TASKQ_STORAGE", `a flow waits for ${id}, which is not known`);
  }
  return key;
}

/** Key of the join to which a row of the flow leads. */
export function trunkOf(placing: Placing, id: string): Key | null {
  const trunk = placing.shape.trunks.get(id);
  if (trunk === undefined) return null;
  return trunk === OUTSIDE ? (placing.trunk ?? null) : keyText(placing, trunk);
}
