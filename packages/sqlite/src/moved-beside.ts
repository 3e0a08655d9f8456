/** What a queue keeps beside its rows, as it goes to another storage. */
import { IS_CONTROL } from "./move-counts.js";
import type { StoredState } from "@taskq/core/storage";
import { bytesOf } from "./bytes.js";
import { idByKey, type After, type Exporting, type Placed } from "./moved-section.js";
import { stateName, type Key } from "./row.js";
import { listSchedules } from "./schedules.js";

interface NamedRow {
  readonly name: string;
  readonly task: string;
  readonly state: number | null;
  readonly until: number;
}

export function names({ connection, queue }: Exporting, [name]: After, limit: number): readonly Placed[] {
  const found = connection
    .sql(
      "SELECT name, task, state, until FROM {names} WHERE queue = ? AND name > ? AND typeof(name) = 'text' AND key IS NULL " +
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

export function uniques({ connection, queue }: Exporting, [name]: After, limit: number): readonly Placed[] {
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
export function holds({ connection, queue }: Exporting, after: After, limit: number): readonly Placed[] {
  const found = connection
    .sql(
      "SELECT gate, holder, owner, fence, expires FROM {holders} WHERE queue = ? AND (gate, holder) > (?, ?) " +
        "AND typeof(gate) = 'text' AND expires IS NOT NULL ORDER BY gate, holder LIMIT ? + 0",
    )
    .all(queue.id, ...after, limit) as HoldRow[];
  return found.map(({ gate, holder, owner, fence, expires }) => [
    { kind: "hold", gate, ticket: holder.slice("t:".length), owner, fence, expiresAt: expires },
    [gate, holder],
  ]);
}

export function schedules({ connection, queue }: Exporting, [name]: After, limit: number): readonly Placed[] {
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
export function controls({ connection, queue }: Exporting, [task]: After, limit: number): readonly Placed[] {
  const found = connection
    .sql(
      `SELECT task, paused, revoked, once, until FROM {controls} WHERE queue = ? AND ${IS_CONTROL} ` +
        "AND ' ' || task > ? ORDER BY task LIMIT ? + 0",
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
  readonly number: number | null;
  readonly expires: number | null;
}

export function* values({ connection, queue }: Exporting, [name]: After, limit: number): Generator<Placed> {
  const found = connection
    .sql("SELECT name, number, expires FROM {values} WHERE queue = ? AND name > ? ORDER BY name LIMIT ? + 0")
    .all(queue.id, name, limit) as ValueRow[];
  const bytesUnder = connection.raw("SELECT bytes FROM {values} WHERE queue = ? AND name = ?");
  for (const row of found) {
    const [bytes] = bytesUnder.get(queue.id, row.name) as [Buffer | null];
    const value = bytes === null ? (row.number ?? 0) : bytesOf(bytes);
    yield [{ kind: "value", key: row.name, value, expiresAt: row.expires ?? undefined }, [row.name]];
  }
}
