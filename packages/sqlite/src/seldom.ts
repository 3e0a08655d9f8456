import type { Connection } from "./connection.js";
import type { OpenQueue, RevokedRun, SeldomState, TaskControl } from "./open-queue.js";

interface ControlRow {
  readonly task: string;
  readonly paused: number;
  readonly revoked: number;
  readonly once: number;
  readonly until: number | null;
}

/** Reads what seldom changes of a queue, and keeps it with the version it stands for. */
export function readSeldom(connection: Connection, queue: OpenQueue, version: number): SeldomState {
  const controls = new Map<string, TaskControl>();
  const rows = connection.sql("SELECT task, paused, revoked, once, until FROM {controls} WHERE queue = ?");
  for (const row of rows.all(queue.id) as ControlRow[]) {
    controls.set(row.task, {
      paused: row.paused === 1,
      revoked: row.revoked === 1,
      once: row.once === 1,
      until: row.until ?? undefined,
    });
  }
  const parking = connection.raw("SELECT gate FROM {parking} WHERE queue = ?").all(queue.id) as [string][];
  const doomed = connection.raw("SELECT CAST(key AS TEXT) FROM {doomed} WHERE queue = ?").all(queue.id) as [
    string,
  ][];
  const [phase] = connection.raw("SELECT phase FROM {queues} WHERE id = ?").get(queue.id) as [number];
  const feed = connection.raw("SELECT until FROM {feeds} WHERE queue = ?").get(queue.id) as
    | [number | null]
    | undefined;
  const state: SeldomState = {
    version,
    phase,
    controls,
    parking: parking.map(([gate]) => gate),
    revoked: connection
      .sql("SELECT owner, fence, id FROM {revoked} WHERE queue = ?")
      .all(queue.id) as RevokedRun[],
    doomed: doomed.map(([key]) => key),
    followed: feed?.[0] ?? undefined,
  };
  queue.seldom = state;
  return state;
}

/** Whether a task's revocation holds at that instant. */
export function isRevoked(control: TaskControl | undefined, now: number): boolean {
  return control !== undefined && control.revoked && (control.until === undefined || control.until > now);
}

/** What seldom changes, as it is now. */
export function currentSeldom(connection: Connection, queue: OpenQueue): SeldomState {
  const [version] = connection.raw("SELECT version FROM {queues} WHERE id = ?").get(queue.id) as [number];
  return queue.seldom?.version === version ? queue.seldom : readSeldom(connection, queue, version);
}
