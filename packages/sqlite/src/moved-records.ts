import {
  MOVED_AT_ONCE,
  pageLength,
  TaskqError,
  type ExportAnswer,
  type MovedEdge,
  type MovedRecord,
  type StoredState,
} from "@taskq/core/storage";
import { bytesIfAny, bytesOf } from "./bytes.js";
import type { Connection } from "./connection.js";
import { movedRow } from "./moved-row.js";
import type { OpenQueue } from "./open-queue.js";
import { idOf, ROW_COLUMNS, stateName, type Key, type Row } from "./row.js";
import { rowByKey } from "./rows.js";
import { listSchedules } from "./schedules.js";

export interface Exporting {
  readonly connection: Connection;
  readonly queue: OpenQueue;
  readonly now: number;
}

/** A record, and where its section goes on behind it. */
export type Placed = readonly [record: MovedRecord, after: readonly (string | number)[]];
type After = readonly (string | number)[];

/** Reads on behind a place; with fewer than asked for, the section is at its end. */
type Section = (exporting: Exporting, after: After, limit: number) => readonly Placed[];

/** In the order in which they are sent: what is referred to comes first. */
const SECTIONS: readonly (readonly [Section, After])[] = [
  [rows, ["-1"]],
  [edges, ["-1", -9, "-1"]],
  [attempts, ["-1", -1]],
  [notes, ["-1", -1]],
  [names, [""]],
  [uniques, [""]],
  [holds, ["", ""]],
  [schedules, [""]],
  [controls, [""]],
  [values, [""]],
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

function rows({ connection, queue, now }: Exporting, [key]: After, limit: number): readonly Placed[] {
  const found = connection
    .sql(`SELECT ${ROW_COLUMNS} FROM {jobs} WHERE key > ? AND queue = ? ORDER BY {jobs}.key LIMIT ? + 0`)
    .all(key, queue.id, limit) as Row[];
  return found.map((row) => [movedRow(connection, row, now), [row.key]]);
}

const IN_QUEUE = "EXISTS (SELECT 1 FROM {jobs} WHERE {jobs}.key = OF AND {jobs}.queue = ?)";
const EDGES =
  "SELECT CAST(target AS TEXT), position, CAST(source AS TEXT), condition, id, follower FROM {edges} " +
  "WHERE (target, position, source) > (CAST(? AS INTEGER), ?, CAST(? AS INTEGER)) AND " +
  `${IN_QUEUE.replace("OF", "{edges}.target")} ORDER BY {edges}.target, position, {edges}.source LIMIT ? + 0`;

const CONDITIONS: readonly MovedEdge["on"][] = ["completed", "failed", "settled", "member", "added", "turn"];

function edges({ connection, queue }: Exporting, after: After, limit: number): readonly Placed[] {
  const found = connection.raw(EDGES).all(...after, queue.id, limit) as [
    Key,
    number,
    Key,
    number,
    string,
    string,
  ][];
  return found.map(([targetKey, position, sourceKey, condition, source, follower]) => {
    const target = follower === "" ? idByKey(connection, targetKey) : follower;
    const on = CONDITIONS[condition] ?? "completed";
    return [
      { kind: "edge", source, target, position, on, member: undefined },
      [targetKey, position, sourceKey],
    ];
  });
}

function idByKey(connection: Connection, key: Key): string {
  const row = rowByKey(connection, key);
  return row === undefined ? "" : idOf(row);
}

const ATTEMPTS =
  "SELECT CAST(key AS TEXT) AS key, fence, attempt, owner, started, ended, error FROM {attempts} " +
  "WHERE (key, fence) > (CAST(? AS INTEGER), ?) AND " +
  `${IN_QUEUE.replace("OF", "{attempts}.key")} ORDER BY {attempts}.key, fence LIMIT ? + 0`;

interface AttemptRow {
  readonly key: Key;
  readonly fence: number;
  readonly attempt: number;
  readonly owner: string;
  readonly started: number;
  readonly ended: number | null;
  readonly error: Uint8Array | null;
}

function attempts({ connection, queue }: Exporting, after: After, limit: number): readonly Placed[] {
  const found = connection.sql(ATTEMPTS).all(...after, queue.id, limit) as AttemptRow[];
  return found.map(({ key, fence, attempt, owner, started, ended, error }) => [
    {
      kind: "attempt",
      id: idByKey(connection, key),
      attempt,
      fence,
      owner,
      startedAt: started,
      endedAt: ended ?? undefined,
      error: bytesIfAny(error),
    },
    [key, fence],
  ]);
}

const NOTES =
  "SELECT CAST(key AS TEXT) AS key, position, time, attempt, fence, bytes FROM {notes} " +
  "WHERE (key, position) > (CAST(? AS INTEGER), ?) AND " +
  `${IN_QUEUE.replace("OF", "{notes}.key")} ORDER BY {notes}.key, position LIMIT ? + 0`;

interface NoteRow {
  readonly key: Key;
  readonly position: number;
  readonly time: number;
  readonly attempt: number;
  readonly fence: number;
  readonly bytes: Uint8Array;
}

function notes({ connection, queue }: Exporting, after: After, limit: number): readonly Placed[] {
  const found = connection.sql(NOTES).all(...after, queue.id, limit) as NoteRow[];
  return found.map(({ key, position, bytes, ...rest }) => {
    const note = { kind: position === 0 ? "progress" : "log", ...rest, bytes: bytesOf(bytes) } as const;
    return [{ kind: "note", id: idByKey(connection, key), position, note }, [key, position]];
  });
}

interface NamedRow {
  readonly name: string;
  readonly task: string;
  readonly state: number | null;
  readonly until: number;
}

function names({ connection, queue }: Exporting, [name]: After, limit: number): readonly Placed[] {
  const found = connection
    .sql(
      "SELECT name, task, state, until FROM {names} WHERE queue = ? AND name > ? AND key IS NULL " +
        "ORDER BY name LIMIT ? + 0",
    )
    .all(queue.id, name, limit) as NamedRow[];
  return found.map((row) => [
    { kind: "name", id: row.name, task: row.task, state: stateName(row.state ?? 5), until: row.until },
    [row.name],
  ]);
}

interface UniqueRow {
  readonly name: string;
  readonly holder: Key;
  readonly id: string | null;
  readonly state: number | null;
  readonly waiting: Key | null;
  readonly until: number | null;
}

function uniques({ connection, queue }: Exporting, [name]: After, limit: number): readonly Placed[] {
  const found = connection
    .sql(
      "SELECT name, CAST(holder AS TEXT) AS holder, id, state, CAST(waiting AS TEXT) AS waiting, until " +
        "FROM {uniques} WHERE queue = ? AND name > ? ORDER BY name LIMIT ? + 0",
    )
    .all(queue.id, name, limit) as UniqueRow[];
  return found.map((row) => {
    const state: StoredState | undefined = row.state === null ? undefined : stateName(row.state);
    const waiting = row.waiting === null ? "" : idByKey(connection, row.waiting);
    return [
      {
        kind: "unique",
        key: row.name,
        holder: row.id ?? idByKey(connection, row.holder),
        state,
        until: row.until ?? undefined,
        waiting: waiting === "" ? undefined : waiting,
      },
      [row.name],
    ];
  });
}

interface HoldRow {
  readonly gate: string;
  readonly holder: string;
  readonly owner: string;
  readonly fence: number;
  readonly expires: number;
}

/** Tickets only: nothing runs. */
function holds({ connection, queue }: Exporting, after: After, limit: number): readonly Placed[] {
  const found = connection
    .sql(
      "SELECT gate, holder, owner, fence, expires FROM {holders} WHERE queue = ? AND (gate, holder) > (?, ?) " +
        "AND expires IS NOT NULL ORDER BY gate, holder LIMIT ? + 0",
    )
    .all(queue.id, ...after, limit) as HoldRow[];
  return found.map(({ gate, holder, owner, fence, expires }) => [
    { kind: "hold", gate, ticket: holder.slice("t:".length), owner, fence, expiresAt: expires },
    [gate, holder],
  ]);
}

function schedules({ connection, queue }: Exporting, [name]: After, limit: number): readonly Placed[] {
  return listSchedules(connection, queue)
    .filter((schedule) => schedule.name > String(name))
    .slice(0, limit)
    .map((schedule) => [{ kind: "schedule", ...schedule }, [schedule.name]]);
}

interface ControlRow {
  readonly task: string;
  readonly paused: number;
  readonly revoked: number;
  readonly once: number;
  readonly until: number | null;
}

/** The queue's own comes under the name `" "`, which is no task's, so that the first page begins before it. */
function controls({ connection, queue }: Exporting, [task]: After, limit: number): readonly Placed[] {
  const found = connection
    .sql(
      "SELECT task, paused, revoked, once, until FROM {controls} WHERE queue = ? AND ' ' || task > ? " +
        "ORDER BY task LIMIT ? + 0",
    )
    .all(queue.id, task, limit) as ControlRow[];
  return found.map((row) => [
    {
      kind: "control",
      task: row.task === "" ? undefined : row.task,
      paused: row.paused === 1,
      revoked: row.revoked === 1,
      once: row.once === 1,
      until: row.until ?? undefined,
    },
    [` ${row.task}`],
  ]);
}

interface ValueRow {
  readonly name: string;
  readonly bytes: Buffer | null;
  readonly number: number | null;
  readonly expires: number | null;
}

function values({ connection, queue }: Exporting, [name]: After, limit: number): readonly Placed[] {
  const found = connection
    .sql(
      "SELECT name, bytes, number, expires FROM {values} WHERE queue = ? AND name > ? ORDER BY name LIMIT ? + 0",
    )
    .all(queue.id, name, limit) as ValueRow[];
  return found.map((row) => [
    {
      kind: "value",
      key: row.name,
      value: row.bytes === null ? (row.number ?? 0) : bytesOf(row.bytes),
      expiresAt: row.expires ?? undefined,
    },
    [row.name],
  ]);
}
