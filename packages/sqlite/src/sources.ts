import { types } from "node:util";
import { CARRIED_BYTES, type JobSource, type JoinSource, type Source } from "@taskq/core/storage";
import { bytesIfAny } from "./bytes.js";
import type { Connection } from "./connection.js";
import { MEMBER, MEMBER_ADDED, ON_FAILED } from "./edge-rows.js";
import type { OpenQueue } from "./open-queue.js";
import { ALL_OUTCOMES, COMPLETED, idOf, isFinalState, JOIN, stateName, type Key, type Row } from "./row.js";
import { rowById, rowByKey } from "./rows.js";

interface IncomingRow {
  readonly source: Key;
  readonly condition: number;
  readonly id: string;
}

/** What came before a job, in the order of its edges; without bytes where they are too many together. */
export function sourcesOf(connection: Connection, queue: OpenQueue, key: Key): readonly Source[] {
  const edges = connection
    .sql(
      "SELECT CAST(source AS TEXT) AS source, condition, id FROM {edges} WHERE target = ? ORDER BY position",
    )
    .all(key) as IncomingRow[];
  const gathering: Gathering = { connection, queue, bytes: 0, around: new Set() };
  const sources: Source[] = [];
  for (const edge of edges) {
    const row = sourceRow(gathering, edge);
    if (row !== undefined) sources.push(sourceOf(gathering, row));
  }
  if (gathering.bytes <= CARRIED_BYTES) return sources;
  return sources.map(withoutBytes);
}

interface Gathering {
  readonly connection: Connection;
  readonly queue: OpenQueue;
  bytes: number;
  /** The groups that are being gathered: of rows that somebody has written into, one may be a part of itself. */
  readonly around: Set<Key>;
}

/** An error handler reads the job that failed, not the end that was skipped because of it. */
function sourceRow({ connection, queue }: Gathering, edge: IncomingRow): Row | undefined {
  const row = rowByKey(connection, edge.source);
  if (row === undefined || edge.condition !== ON_FAILED || row.cause === null) return row;
  return rowById(connection, queue, row.cause) ?? row;
}

function sourceOf(gathering: Gathering, row: Row): Source {
  return (row.flags & JOIN) === 0 ? jobSource(gathering, row) : joinSource(gathering, row);
}

function jobSource(gathering: Gathering, row: Row): JobSource {
  const bytes =
    gathering.bytes > CARRIED_BYTES ? lengthOf(gathering, row) : resultOf(gathering.connection, row.key);
  if (bytes !== undefined) gathering.bytes += bytes.byteLength;
  return {
    kind: "job",
    id: idOf(row),
    task: row.task,
    fence: Math.abs(row.fence),
    state: stateName(row.state),
    attempt: row.attempt,
    bytes: types.isUint8Array(bytes) ? bytes : undefined,
    left: bytes !== undefined && !types.isUint8Array(bytes),
    reason: row.reason ?? undefined,
    cause: row.cause ?? undefined,
  };
}

function resultOf(connection: Connection, key: Key): Uint8Array | undefined {
  const row = connection.raw("SELECT result FROM {jobs} WHERE key = ?").get(key) as [Uint8Array | null];
  return bytesIfAny(row[0]);
}

function lengthOf({ connection }: Gathering, row: Row): { readonly byteLength: number } | undefined {
  const found = connection.raw("SELECT length(result) FROM {jobs} WHERE key = ?").get(row.key) as [
    number | null,
  ];
  return found[0] === null ? undefined : { byteLength: found[0] };
}

function joinSource(gathering: Gathering, row: Row): JoinSource {
  const statement = gathering.connection.raw(
    "SELECT CAST(source AS TEXT) FROM {edges} WHERE target = ? AND condition = ? ORDER BY position",
  );
  const isPartOfItself = gathering.around.has(row.key);
  const members = isPartOfItself ? [] : (statement.all(row.key, MEMBER) as [Key][]);
  const added = addedBy(gathering, row);
  gathering.around.add(row.key);
  const sources = members.flatMap(([key]) => {
    const member = rowByKey(gathering.connection, key);
    return member === undefined ? [] : [sourceOf(gathering, standingFor(gathering, member, added.get(key)))];
  });
  if (!isPartOfItself) gathering.around.delete(row.key);
  return {
    kind: "join",
    id: idOf(row),
    mode: (row.flags & ALL_OUTCOMES) === 0 ? "all" : "settled",
    state: stateName(row.state),
    reason: row.reason ?? undefined,
    cause: row.cause ?? undefined,
    members: sources,
  };
}

/** Ends of flows that members of a join have added, by member. */
function addedBy({ connection }: Gathering, join: Row): ReadonlyMap<Key, readonly Key[]> {
  const edges = connection
    .raw(
      "SELECT CAST(member AS TEXT), CAST(source AS TEXT) FROM {edges} WHERE target = ? AND condition = ? ORDER BY position",
    )
    .all(join.key, MEMBER_ADDED) as [Key, Key][];
  const ends = new Map<Key, Key[]>();
  for (const [member, end] of edges) ends.set(member, [...(ends.get(member) ?? []), end]);
  return ends;
}

/** A member stands for itself, unless a flow that it added did not complete: then for the job because of which. */
function standingFor({ connection, queue }: Gathering, member: Row, added: readonly Key[] = []): Row {
  if (member.state !== COMPLETED) return member;
  for (const key of added) {
    const end = rowByKey(connection, key);
    if (end === undefined || !isFinalState(end.state) || end.state === COMPLETED) continue;
    return (end.cause === null ? undefined : rowById(connection, queue, end.cause)) ?? end;
  }
  return member;
}

function withoutBytes(source: Source): Source {
  if (source.kind === "join") return { ...source, members: source.members.map(withoutBytes) };
  return source.bytes === undefined ? source : { ...source, bytes: undefined, left: true };
}
