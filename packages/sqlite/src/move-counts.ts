import { countedAs, type MoveCounts } from "@taskq/core/storage";
import type { Connection } from "./connection.js";
import { TURN } from "./edge-rows.js";
import { entryKey } from "./feed-rows.js";
import type { OpenQueue } from "./open-queue.js";
import { JOIN, stateName } from "./row.js";

const OF_QUEUE = "EXISTS (SELECT 1 FROM {jobs} WHERE {jobs}.key = OF AND {jobs}.queue = ?)";

/** Where somebody has written something else, there is no note. */
export const IS_NOTE: string = `typeof(position) = 'integer' AND position BETWEEN 0 AND ${Number.MAX_SAFE_INTEGER}`;

/** Others say nothing, as those do into which somebody has written, or of nobody who can be named. */
export const IS_CONTROL = "(paused = 1 OR revoked = 1) AND typeof(task) = 'text'";

/** Of the first millisecond on; below it somebody else has put a row, which is listed nowhere. */
const IS_KEY = "key >= 0";

/** Its target may be gone, or its source. */
export const EDGE_OF_QUEUE =
  "coalesce((SELECT queue FROM {jobs} WHERE key = {edges}.target), (SELECT queue FROM {jobs} WHERE key = {edges}.source)) = ?";

/** One statement for each kind of record but jobs. */
const COUNTS: readonly (readonly [string, string])[] = [
  ["join", `SELECT count(*) FROM {jobs} WHERE queue = ? AND flags & ${JOIN} <> 0 AND ${IS_KEY}`],
  ["edge", `SELECT count(*) FROM {edges} WHERE condition <> ${TURN} AND ${EDGE_OF_QUEUE}`],
  ["attempt", `SELECT count(*) FROM {attempts} WHERE ${OF_QUEUE.replace("OF", "{attempts}.key")}`],
  ["note", `SELECT count(*) FROM {notes} WHERE ${OF_QUEUE.replace("OF", "{notes}.key")} AND ${IS_NOTE}`],
  ["name", "SELECT count(*) FROM {names} WHERE queue = ? AND typeof(name) = 'text' AND key IS NULL"],
  ["unique", "SELECT count(*) FROM {uniques} WHERE queue = ? AND name > ''"],
  [
    "hold",
    "SELECT count(*) FROM {holders} WHERE queue = ? AND typeof(gate) = 'text' AND expires IS NOT NULL",
  ],
  ["schedule", "SELECT count(*) FROM {schedules} WHERE queue = ?"],
  ["control", `SELECT count(*) FROM {controls} WHERE queue = ? AND ${IS_CONTROL}`],
  ["value", "SELECT count(*) FROM {values} WHERE queue = ?"],
  ["feed", "SELECT count(*) FROM {feeds} WHERE queue = ? AND until IS NOT NULL"],
  [
    "event",
    "SELECT coalesce(sum(json_array_length(entries)), 0) FROM {feeds} JOIN {events} " +
      `ON {events}.id > ${entryKey("queue", "gone")} AND {events}.id < ${entryKey("(queue + 1)", "0")} WHERE queue = ?`,
  ],
];

const HISTORY: readonly (readonly [string, string])[] = [
  ["start", "SELECT count(*) FROM {starts} WHERE queue = ?"],
  ["stats", "SELECT count(*) FROM {stats} WHERE queue = ?"],
];

/**
 * How much a queue keeps, by kind; what there is none of is not named.
 *
 * @param history the number under which its history stands
 */
export function moveCounts(connection: Connection, queue: OpenQueue, history: number = queue.id): MoveCounts {
  const counts: Record<string, number> = {};
  const add = (name: string, count: number): void => {
    if (count > 0) counts[name] = (counts[name] ?? 0) + count;
  };
  const jobs = connection.raw(
    `SELECT state, count(*) FROM {jobs} WHERE queue = ? AND flags & ${JOIN} = 0 AND ${IS_KEY} GROUP BY state`,
  );
  for (const [state, count] of jobs.all(queue.id) as [number, number][]) {
    add(countedAs(stateName(state)), count);
  }
  for (const [name, statement] of COUNTS) add(name, (connection.raw(statement).get(queue.id) as [number])[0]);
  for (const [name, statement] of HISTORY) add(name, (connection.raw(statement).get(history) as [number])[0]);
  return counts;
}
