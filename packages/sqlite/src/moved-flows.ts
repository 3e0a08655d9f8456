/** Rows, and what hangs on them, as they go to another storage. */
import type { MovedEdge } from "@taskq/core/storage";
import { bytesIfAny, bytesOf } from "./bytes.js";
import { EDGE_OF_QUEUE, IS_NOTE } from "./move-counts.js";
import { movedRow } from "./moved-row.js";
import { idByKey, type After, type Exporting, type Placed } from "./moved-section.js";
import { ROW_COLUMNS, type Key, type Row } from "./row.js";

export function* rows({ connection, queue, now }: Exporting, [key]: After, limit: number): Generator<Placed> {
  const found = connection
    .sql(`SELECT ${ROW_COLUMNS} FROM {jobs} WHERE key > ? AND queue = ? ORDER BY {jobs}.key LIMIT ? + 0`)
    .all(key, queue.id, limit) as Row[];
  for (const row of found) yield [movedRow(connection, row, now), [row.key]];
}

const IN_QUEUE = "EXISTS (SELECT 1 FROM {jobs} WHERE {jobs}.key = OF AND {jobs}.queue = ?)";
const EDGES =
  "SELECT CAST(target AS TEXT), position, CAST(source AS TEXT), condition, id, follower, CAST(member AS TEXT) FROM {edges} " +
  "WHERE (target, position, source) > (CAST(? AS INTEGER), ?, CAST(? AS INTEGER)) AND " +
  `${EDGE_OF_QUEUE} ORDER BY {edges}.target, position, {edges}.source LIMIT ? + 0`;

const CONDITIONS: readonly MovedEdge["on"][] = ["completed", "failed", "settled", "member", "added", "turn"];

export function edges({ connection, queue }: Exporting, after: After, limit: number): readonly Placed[] {
  const found = connection.raw(EDGES).all(...after, queue.id, limit) as [
    Key,
    number,
    Key,
    number,
    string,
    string,
    Key | null,
  ][];
  return found.map(([targetKey, position, sourceKey, condition, source, follower, memberKey]) => {
    const target = follower === "" ? idByKey(connection, targetKey) : follower;
    const on = CONDITIONS[condition] ?? "completed";
    const member = memberKey === null ? undefined : idByKey(connection, memberKey);
    return [{ kind: "edge", source, target, position, on, member }, [targetKey, position, sourceKey]];
  });
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

export function attempts({ connection, queue }: Exporting, after: After, limit: number): readonly Placed[] {
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
  `WHERE (key, position) > (CAST(? AS INTEGER), ?) AND ${IS_NOTE} AND ` +
  `${IN_QUEUE.replace("OF", "{notes}.key")} ORDER BY {notes}.key, position LIMIT ? + 0`;

interface NoteRow {
  readonly key: Key;
  readonly position: number;
  readonly time: number;
  readonly attempt: number;
  readonly fence: number;
  readonly bytes: Uint8Array;
}

export function notes({ connection, queue }: Exporting, after: After, limit: number): readonly Placed[] {
  const found = connection.sql(NOTES).all(...after, queue.id, limit) as NoteRow[];
  return found.map(({ key, position, bytes, ...rest }) => {
    const note = { kind: position === 0 ? "progress" : "log", ...rest, bytes: bytesOf(bytes) } as const;
    return [{ kind: "note", id: idByKey(connection, key), position, note }, [key, position]];
  });
}
