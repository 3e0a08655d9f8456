import { randomInt } from "node:crypto";
import { splitId, TaskqError, type IdParts, type NewFlow, type NewJob } from "@taskq/core/storage";
import type { FlowShape } from "./flow-shape.js";
import { Collision } from "./known-flow.js";
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
 * The places of a flow's rows. A generated id is its own key; another one gets a key of the same kind, as does one whose
 * key is taken, if it may be `elsewhere`: the key of the id that would have been made for it, where that is told and
 * free. @throws `Collision`
 */
export function placesOf(move: Move, flow: NewFlow, elsewhere: boolean): ReadonlyMap<string, Place> {
  const places = new Map<string, Place>();
  const taken = new Set<Key>();
  const put = (id: string, place: Place): void => {
    places.set(id, place);
    taken.add(place.key);
  };
  const others: string[] = [];
  const rows: readonly RowOfFlow[] = [...flow.joins, ...flow.jobs];
  for (const { id, named = false, order } of rows) {
    const own = splitId(named ? (order ?? "") : id);
    if (own === undefined) {
      others.push(id);
      continue;
    }
    const place = placeAt(own);
    const isElastic = named || elsewhere;
    if (taken.has(place.key) && !isElastic) throw new Collision(id);
    if (isElastic && (taken.has(place.key) || isTaken(move, place))) others.push(id);
    else put(id, place);
  }
  // After all that have no choice: a key that is free in the file may be the one of another row of the flow.
  for (const id of others) put(id, freePlace(move, taken));
  return places;
}

type RowOfFlow = Pick<NewJob, "id" | "order"> & { readonly named?: boolean | undefined };

function placeAt(parts: IdParts): Place {
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

/** Ids that core makes have a random number of twelve bits there, and then a counter of nine, which begins at 0. */
const COUNTER_BITS = 9;
/** Ours begins where few ids of a millisecond are. */
const FIRST_COUNT = 2 ** (COUNTER_BITS - 1);
let tag = randomInt(2 ** 12);
let counter = FIRST_COUNT;
let countedFor = 0;

/** A place of this moment that nobody has, after those made before. */
function freePlace(move: Move, taken: ReadonlySet<Key>): Place {
  for (;;) {
    if (move.now !== countedFor) {
      countedFor = move.now;
      counter = FIRST_COUNT;
    } else if (++counter === 2 ** COUNTER_BITS) {
      tag = (tag + 1) % 2 ** 12;
      counter = FIRST_COUNT;
    }
    const low = tag * 2 ** COUNTER_BITS + counter;
    const place = placeAt({ time: move.now, low, random: randomInt(2 ** 40) });
    if (!taken.has(place.key) && !isTaken(move, place)) return place;
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
  return trunk === undefined ? null : joinKey(placing, trunk);
}

/** Keys of the joins to which it leads beside something else. */
export function sparedBy(placing: Placing, id: string): readonly Key[] {
  const joins = placing.shape.spared.get(id);
  return joins === undefined ? [] : [...joins].flatMap((join) => joinKey(placing, join) ?? []);
}

function joinKey(placing: Placing, join: string): Key | null {
  return join === OUTSIDE ? (placing.trunk ?? null) : keyText(placing, join);
}
