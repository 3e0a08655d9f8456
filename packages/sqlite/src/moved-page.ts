import {
  MOVED_AT_ONCE,
  pageLength,
  TaskqError,
  type ExportAnswer,
  type MovedRecord,
} from "@taskq/core/storage";
import { controls, holds, names, schedules, uniques, values } from "./moved-beside.js";
import { starts, statistics } from "./moved-history.js";
import { events, feeds } from "./moved-feed.js";
import { attempts, edges, notes, rows } from "./moved-flows.js";
import type { After, Exporting, Section } from "./moved-section.js";

/** Rows that are gone have keys below those of rows. */
const FIRST_KEY = "-9223372036854775808";

/** In the order in which they are sent: what is referred to comes first. */
const SECTIONS: readonly (readonly [Section, After])[] = [
  [rows, ["-1"]],
  [edges, [FIRST_KEY, -9, FIRST_KEY]],
  [attempts, ["-1", -1]],
  [notes, ["-1", -1]],
  [names, [""]],
  [uniques, [""]],
  [holds, ["", ""]],
  [schedules, [""]],
  [controls, [""]],
  [values, [""]],
  [starts, ["", -1, -1, ""]],
  [statistics, [-1, ""]],
  [feeds, [0]],
  [events, [0]],
];

/** One page of a still queue. A cursor is the number of its section and the place within. */
export function movedPage(
  exporting: Exporting,
  cursor: string | undefined,
  limit: number,
): Pick<ExportAnswer, "records" | "cursor"> {
  const most = Math.max(1, Math.min(limit, MOVED_AT_ONCE));
  let [section, after] = placeOf(cursor);
  const records: MovedRecord[] = [];
  const places: (readonly [section: number, ...after: After])[] = [];
  while (records.length < most) {
    const entry = SECTIONS[section];
    if (entry === undefined) break;
    const before = records.length;
    for (const [record, place] of entry[0](exporting, after ?? entry[1], most - before)) {
      records.push(record);
      places.push([section, ...place]);
      if (isLarger(records, most)) return pageOf(records, places, most);
    }
    if (records.length < most) {
      section += 1;
      after = undefined;
    }
  }
  const page = pageOf(records, places, most);
  const isLast = page.records.length === records.length && section >= SECTIONS.length;
  return isLast ? { records, cursor: undefined } : page;
}

/** Whether these are more than a page may have: what comes behind them would be read in vain, with its bytes. */
function isLarger(records: readonly MovedRecord[], most: number): boolean {
  return pageLength(records, most) < records.length;
}

/** As many of these as a page may have, and where the next one begins. */
function pageOf(
  records: readonly MovedRecord[],
  places: readonly After[],
  most: number,
): Pick<ExportAnswer, "records" | "cursor"> {
  const count = records.length === 0 ? 0 : pageLength(records, most);
  const last = places[count - 1];
  return { records: records.slice(0, count), cursor: last === undefined ? undefined : JSON.stringify(last) };
}

function placeOf(cursor: string | undefined): [section: number, after: After | undefined] {
  if (cursor === undefined) return [0, undefined];
  try {
    const [section, ...after] = JSON.parse(cursor) as [number, ...(string | number)[]];
    if (after.length === SECTIONS[section]?.[1].length) return [section, after];
  } catch {
    // Said below.
  }
  throw new TaskqError("TASKQ_STORAGE", `export: expected a cursor of this queue, got "${cursor}"`);
}
