import type { ExplainCause, ExplainFact } from "@taskq/core/storage";
import type { Connection } from "./connection.js";
import { closedGate } from "./closed-gate.js";
import { MEMBER_ADDED } from "./edge-rows.js";
import { gateName } from "./gates.js";
import type { OpenQueue, SeldomState } from "./open-queue.js";
import { ownerName } from "./owners.js";
import { asSkipped } from "./dead.js";
import {
  ACTIVE,
  BLOCKED,
  GATED,
  gateKey,
  idOf,
  isFinalState,
  JOIN,
  metaOf,
  PARKED,
  stateName,
  type Key,
  type Row,
} from "./row.js";
import { rowById, rowByKey } from "./rows.js";
import { isRevoked } from "./seldom.js";
import { countStarts, LIMIT, limitOf, roomAt, type Looking } from "./starts.js";

export interface Explaining {
  readonly connection: Connection;
  readonly queue: OpenQueue;
  readonly now: number;
  readonly seldom: SeldomState;
  /** Those that a consumer is known for; `undefined`: it is not known of which. */
  readonly tasks: readonly string[] | undefined;
}

/** Why jobs and joins stand where they stand. */
export function explain(explaining: Explaining, ids: readonly string[]): readonly ExplainFact[] {
  const { connection, queue } = explaining;
  return ids.map((id) => {
    const found = rowById(connection, queue, id);
    if (found === undefined) return { id, state: "unknown", task: undefined, causes: [] };
    const row = asSkipped(connection, found);
    const state = stateName(row.state);
    if ((row.flags & JOIN) === 0) return { id, state, task: row.task, causes: causesOf(explaining, row) };
    const causes = isFinalState(row.state) ? [finalCause(row)] : [blockedCause(explaining, row)];
    return { id, state, task: undefined, causes };
  });
}

/** The weightiest first. */
function causesOf(explaining: Explaining, row: Row): readonly ExplainCause[] {
  const crashed: ExplainCause[] = row.crashes > 0 ? [{ code: "crashed", crashes: row.crashes }] : [];
  if (isFinalState(row.state)) return [finalCause(row), ...crashed];
  if (row.state === ACTIVE) return [runningCause(explaining, row), ...crashed];
  const causes = [
    ...expiredCauses(explaining, row),
    ...waitingCauses(explaining, row),
    ...controlCauses(explaining, row),
  ];
  // Last: whatever else keeps it weighs more than its turn.
  if (causes.length === 0 || isDue(explaining, row)) causes.push(waitingCause(explaining, row));
  return [...causes, ...crashed];
}

/** Whether it waits for its turn, beside whatever else keeps it. */
function isDue({ now }: Explaining, { state, due }: Row): boolean {
  return state !== BLOCKED && state !== PARKED && due <= now;
}

function expiredCauses({ now }: Explaining, { expires }: Row): readonly ExplainCause[] {
  return expires === null || expires > now ? [] : [{ code: "expired", at: expires }];
}

function waitingCause(explaining: Explaining, row: Row): ExplainCause {
  return { code: "waiting", ahead: countBefore(explaining, row, undefined) };
}

function finalCause(row: Row): ExplainCause {
  return { code: "final", reason: row.reason ?? undefined, cause: row.cause ?? undefined };
}

function blockedCause({ connection }: Explaining, row: Row): ExplainCause {
  const sources = connection
    .raw("SELECT CAST(source AS TEXT), id FROM {edges} WHERE target = ? AND condition <= ? ORDER BY position")
    .all(row.key, MEMBER_ADDED) as [Key, string][];
  const by = sources.filter(([key]) => {
    const source = rowByKey(connection, key);
    return source !== undefined && !isFinalState(source.state);
  });
  return { code: "blocked", by: by.map(([, id]) => id) };
}

function runningCause({ connection, queue, now }: Explaining, row: Row): ExplainCause {
  const lease = connection
    .raw("SELECT max(until), max(length) FROM {leases} WHERE queue = ? AND fence = ?")
    .get(queue.id, row.fence) as [number | null, number | null];
  const leaseUntil = lease[0] ?? undefined;
  const claimedAt = lease[0] === null ? now : lease[0] - (lease[1] ?? 0);
  return {
    code: "running",
    owner: ownerName(connection, row.owner) ?? "",
    since: row.started ?? claimedAt,
    leaseUntil,
  };
}

function waitingCauses(explaining: Explaining, row: Row): readonly ExplainCause[] {
  if (row.state === BLOCKED) return [blockedCause(explaining, row)];
  if (row.state === PARKED) return parkedCauses(explaining, row, row.gate ?? "");
  if (row.due > explaining.now) {
    const notDue: ExplainCause = { code: "not-due", at: row.due };
    if (row.failures === 0) return [notDue];
    return [{ code: "retrying", failures: row.failures, at: row.due }, notDue];
  }
  const closed = closedGateOf(explaining, row);
  return closed === undefined ? [] : [gateCause(explaining, row, closed)];
}

function parkedCauses(explaining: Explaining, row: Row, gate: string): readonly ExplainCause[] {
  if (gate.startsWith("task:")) return [{ code: "no-consumer", task: row.task }];
  // Told by the controls while it lasts; a resumed job is let go by one of the next steps.
  if (gate.startsWith("pause:")) return [];
  return [gateCause(explaining, row, gate)];
}

/** The first gate that a ready job would find full, or with others before it. */
function closedGateOf(explaining: Explaining, row: Row): string | undefined {
  if ((row.flags & GATED) === 0) return undefined;
  const closed = closedGate(lookingOf(explaining), row.key, metaOf(row).gates ?? []);
  return closed === undefined ? undefined : gateName(closed);
}

function lineLength(
  { connection, queue, now }: Pick<Explaining, "connection" | "queue" | "now">,
  gate: string,
): number {
  const parked = connection
    .raw("SELECT count(*) FROM {jobs} WHERE queue = ? AND gate = ? AND state = 3")
    .get(queue.id, gate) as [number];
  const tickets = connection
    .raw("SELECT count(*) FROM {tickets} WHERE queue = ? AND gate = ? AND until > ?")
    .get(queue.id, gate, now) as [number];
  return parked[0] + tickets[0];
}

/**
 * How many stand before a job, among the ready ones or in the line of a gate: of a higher priority, due earlier, and
 * enqueued earlier. One count each: asked for together, all that wait are looked at, those behind it too.
 */
function countBefore({ connection, queue }: Explaining, row: Row, gate: string | undefined): number {
  const { priority, due, key } = row;
  const line = gate === undefined ? [queue.id] : [queue.id, gate];
  const among = gate === undefined ? "state = 0" : "gate = ? AND state = 3";
  const count = `(SELECT count(*) FROM {jobs} WHERE queue = ? AND ${among} AND priority`;
  const [found] = connection
    .raw(`SELECT ${count} > ?) + ${count} = ? AND due < ?) + ${count} = ? AND due = ? AND key < ?)`)
    .get(...line, priority, ...line, priority, due, ...line, priority, due, key) as [number];
  return found;
}

const CODES: Readonly<Record<string, "locked" | "limited" | "no-slot">> = {
  concurrency: "no-slot",
  limit: "limited",
};

function gateCause(explaining: Explaining, row: Row, name: string): ExplainCause {
  const inLine = row.state === PARKED && row.gate === name;
  return {
    code: CODES[name.slice(0, name.indexOf(":"))] ?? "locked",
    gate: gateKey(name),
    holders: holdersOf(explaining, row, name),
    ahead: inLine ? aheadInLine(explaining, row, name) : lineLength(explaining, name),
    opensAt: name.startsWith(LIMIT) ? limitOpensAt(explaining, row, name) : opensAt(explaining, name),
  };
}

/** When the window has room for this job, whoever goes before it. */
function limitOpensAt(explaining: Explaining, row: Row, name: string): number | undefined {
  const own = metaOf(row).gates?.find((gate) => gateName(gate) === name);
  if (own === undefined) return undefined;
  const looking = lookingOf(explaining);
  const limit = limitOf(own);
  return countStarts(looking, limit) < own.max ? undefined : roomAt(looking, limit, 0);
}

function lookingOf({ connection, queue, now }: Explaining): Looking {
  return { queue, now, raw: (text) => connection.raw(text) };
}

function aheadInLine(explaining: Explaining, row: Row, name: string): number {
  const { connection, queue, now } = explaining;
  if (name.startsWith("unique:")) {
    const before = connection
      .raw("SELECT count(*) FROM {jobs} WHERE queue = ? AND gate = ? AND state = 3 AND pending < ?")
      .get(queue.id, name, row.pending) as [number];
    return before[0];
  }
  const tickets =
    row.priority > 0
      ? [0]
      : (connection
          .raw(
            "SELECT count(*) FROM {tickets} WHERE queue = ? AND gate = ? AND until > ? AND (? < 0 OR since < ?)",
          )
          .get(queue.id, name, now, row.priority, row.due) as [number]);
  return countBefore(explaining, row, name) + (tickets[0] ?? 0);
}

/** Ids of the jobs, and owners of the tickets. */
function holdersOf({ connection, queue, now }: Explaining, row: Row, name: string): readonly string[] {
  if (name.startsWith("unique:")) {
    const holder = connection
      .raw("SELECT CAST(holder AS TEXT) FROM {uniques} WHERE queue = ? AND name = ?")
      .get(queue.id, name.slice("unique:".length)) as [Key] | undefined;
    return holder === undefined ? [] : idsOf(connection, [holder[0]]);
  }
  if (name.startsWith("schedule:")) {
    const ends = connection.raw("SELECT id FROM {edges} WHERE target = ? AND condition = 5").all(row.key) as [
      string,
    ][];
    return ends.map(([id]) => id);
  }
  const holders = connection
    .raw(
      "SELECT holder, owner FROM {holders} WHERE queue = ? AND gate = ? AND fence <> 0 AND (expires IS NULL OR expires > ?)",
    )
    .all(queue.id, name, now) as [string, string][];
  const jobs = holders.filter(([holder]) => !holder.startsWith("t:")).map(([key]) => key);
  const tickets = holders.filter(([holder]) => holder.startsWith("t:")).map(([, owner]) => owner);
  return [...idsOf(connection, jobs), ...tickets];
}

function idsOf(connection: Connection, keys: readonly Key[]): readonly string[] {
  return keys.flatMap((key) => {
    const row = rowByKey(connection, key);
    return row === undefined ? [] : [idOf(row)];
  });
}

function opensAt({ connection, queue }: Explaining, name: string): number | undefined {
  if (name.startsWith("unique:")) {
    const until = connection
      .raw("SELECT until FROM {uniques} WHERE queue = ? AND name = ?")
      .get(queue.id, name.slice("unique:".length)) as [number | null] | undefined;
    return until?.[0] ?? undefined;
  }
  const [held, waiting] = connection
    .raw(
      "SELECT (SELECT min(expires) FROM {holders} WHERE queue = ? AND gate = ?), " +
        "(SELECT min(until) FROM {tickets} WHERE queue = ? AND gate = ?)",
    )
    .get(queue.id, name, queue.id, name) as [number | null, number | null];
  if (held === null) return waiting ?? undefined;
  return waiting === null ? held : Math.min(held, waiting);
}

function controlCauses({ seldom, now, tasks }: Explaining, row: Row): readonly ExplainCause[] {
  const causes: ExplainCause[] = [];
  const { task } = row;
  const control = seldom.controls.get(task);
  if (seldom.controls.get("")?.paused === true) causes.push({ code: "paused", task: undefined });
  if (control?.paused === true) causes.push({ code: "paused", task });
  if (isRevoked(control, now)) causes.push({ code: "revoked", task });
  const told = row.gate?.startsWith("task:") === true;
  if (tasks?.includes(task) === false && !told) causes.push({ code: "no-consumer", task });
  return causes;
}
