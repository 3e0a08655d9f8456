import { MOVED_AT_ONCE, pageLength, TaskqError, type ExportAnswer } from "@taskq/core/storage";
import { controls, holds, names, schedules, uniques, values } from "./moved-beside.js";
import { starts, statistics } from "./moved-history.js";
import { events, feeds } from "./moved-feed.js";
import { attempts, edges, notes, rows } from "./moved-flows.js";
import type { After, Exporting, Placed, Section } from "./moved-section.js";

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
  const placed: Placed[] = [];
  const sections: number[] = [];
  while (placed.length < most) {
    const entry = SECTIONS[section];
    if (entry === undefined) break;
    const wanted = most - placed.length;
    const found = entry[0](exporting, after ?? entry[1], wanted);
    for (const one of found) {
      placed.push(one);
      sections.push(section);
    }
    if (found.length < wanted) {
      section += 1;
      after = undefined;
    }
  }
  const records = placed.map(([record]) => record);
  const count = records.length === 0 ? 0 : pageLength(records, most);
  const isLast = count === records.length && section >= SECTIONS.length;
  const last = placed[count - 1];
  return {
    records: records.slice(0, count),
    cursor: isLast || last === undefined ? undefined : JSON.stringify([sections[count - 1], ...last[1]]),
  };
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
