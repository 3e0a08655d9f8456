import { CONSEQUENCES_PER_STEP } from "@taskq/core/storage";
import type { Move } from "./move.js";
import { makeReady } from "./line.js";
import { GATED, gateLabel, metaOf, ROW_COLUMNS, type MetaGate, type Row } from "./row.js";

/** Locks, concurrency keys and limits: each a space of names of its own. */
export function gateName(gate: Pick<MetaGate, "kind" | "key">): string {
  return `${gate.kind}:${gate.key}`;
}

/** Places that are held, or kept for jobs that the gate has let go. */
export function placesTaken(move: Move, gate: string): number {
  const row = move
    .raw("SELECT count(*) FROM {holders} WHERE queue = ? AND gate = ? AND (expires IS NULL OR expires > ?)")
    .get(move.queue.id, gate, move.now) as [number];
  return row[0];
}

/** The first job that is parked under a gate. */
export function firstParked(move: Move, gate: string): Row | undefined {
  return move
    .sql(
      `SELECT ${ROW_COLUMNS} FROM {jobs} WHERE queue = ? AND gate = ? AND state = 3 ` +
        "ORDER BY priority DESC, due, {jobs}.key LIMIT 1",
    )
    .get(move.queue.id, gate) as Row | undefined;
}

export interface TicketRow {
  readonly id: number;
  readonly ticket: string;
  readonly owner: string;
  readonly max: number;
  readonly ttl: number;
  readonly since: number;
  readonly until: number;
}

/** The first ticket that waits for a gate. */
export function firstTicket(move: Move, gate: string): TicketRow | undefined {
  return move
    .sql(
      "SELECT id, ticket, owner, max, ttl, since, until FROM {tickets} WHERE queue = ? AND gate = ? AND until > ? " +
        "ORDER BY since, id LIMIT 1",
    )
    .get(move.queue.id, gate, move.now) as TicketRow | undefined;
}

/** Tickets stand in the line like jobs of priority 0, behind those of the same millisecond. */
function ticketIsFirst(ticket: TicketRow, row: Row): boolean {
  return row.priority < 0 || (row.priority === 0 && ticket.since < row.due);
}

/** Lets the first of those that wait for a gate go: as many as may hold it. A place is kept for each. */
export function openGate(move: Move, gate: string): void {
  for (let taken: number | undefined; ;) {
    const row = firstParked(move, gate);
    const ticket = firstTicket(move, gate);
    if (row === undefined && ticket === undefined) return;
    taken ??= placesTaken(move, gate);
    if (ticket !== undefined && (row === undefined || ticketIsFirst(ticket, row))) {
      if (taken >= ticket.max) return;
      grant(move, gate, ticket);
    } else if (row !== undefined) {
      const own = ownGate(row, gate);
      if (own === undefined) {
        letStrangerGo(move, gate, row);
        continue;
      }
      if (taken >= own.max) return;
      letThrough(move, gate, row);
    }
    taken += 1;
  }
}

/** What a row says of a gate; `undefined`: it was parked there, and says nothing of it since somebody has written into it. */
export function ownGate(row: Row, gate: string): MetaGate | undefined {
  if ((row.flags & GATED) === 0) return undefined;
  return metaOf(row).gates?.find((candidate) => gateName(candidate) === gate);
}

/** Such a row would keep the line waiting for ever: it goes on without a place, which it would not give back. */
export function letStrangerGo(move: Move, gate: string, row: Row): void {
  makeReady(move, row, row.due);
  move.effect(row, "readied", { gate: gateLabel(gate) });
}

/**
 * Lets a parked job go, and keeps a place for it. It was due when it was parked: a call that has waited for the file may
 * come with an earlier instant.
 */
export function letThrough(move: Move, gate: string, row: Row): void {
  move
    .sql("INSERT OR REPLACE INTO {holders} (queue, gate, holder, owner, fence) VALUES (?, ?, ?, '', 0)")
    .run(move.queue.id, gate, row.key);
  makeReady(move, row, row.due);
  move.effect(row, "readied", { gate: gateLabel(gate) });
}

/** Makes a ticket a holder: one from the line until its place would have been lost, unless it is asked for again. */
export function grant(
  move: Move,
  gate: string,
  ticket: Omit<TicketRow, "id" | "since" | "until"> & { readonly id?: number; readonly until?: number },
): number {
  const fence = move.nextFence();
  const expires = Math.min(move.now + ticket.ttl, ticket.until ?? Infinity);
  move
    .sql(
      "INSERT OR REPLACE INTO {holders} (queue, gate, holder, owner, fence, expires) VALUES (?, ?, ?, ?, ?, ?)",
    )
    .run(move.queue.id, gate, ticketHolder(ticket.ticket), ticket.owner, fence, expires);
  if (ticket.id !== undefined) move.sql("DELETE FROM {tickets} WHERE id = ?").run(ticket.id);
  move.wakeAt(expires);
  move.becameReady();
  return fence;
}

/** Tickets and jobs hold the same gates; keys of jobs are digits only. */
export function ticketHolder(ticket: string): string {
  return `t:${ticket}`;
}

/** Takes a lock or a slot for a run. */
export function takeGate(
  move: Move,
  row: Row,
  gate: MetaGate,
  { owner, fence }: { readonly owner: string; readonly fence: number },
): void {
  move
    .sql(
      "INSERT OR REPLACE INTO {holders} (queue, gate, holder, owner, fence, expires) VALUES (?, ?, ?, ?, ?, NULL)",
    )
    .run(move.queue.id, gateName(gate), row.key, owner, fence);
}

/** Forgets holders and waiting tickets whose time is over, and lets others go; notes when to look again. */
export function openDueGates(move: Move): void {
  for (const gate of forgetDue(move, "holders", "expires", "gate, holder")) move.opened.add(gate);
  for (const gate of forgetDue(move, "tickets", "until", "gate, ticket")) move.opened.add(gate);
  for (const name of forgetDue(move, "uniques", "until", "name")) move.freed.add(name);
  move
    .sql(
      "UPDATE {queues} SET wake = (SELECT min(instant) FROM (" +
        "SELECT min(expires) AS instant FROM {holders} WHERE queue = {queues}.id AND expires IS NOT NULL UNION ALL " +
        "SELECT min(until) FROM {tickets} WHERE queue = {queues}.id UNION ALL " +
        "SELECT min(until) FROM {uniques} WHERE queue = {queues}.id AND until IS NOT NULL UNION ALL " +
        "SELECT min(opens) FROM {openings} WHERE queue = {queues}.id UNION ALL " +
        "SELECT min(until) FROM {parking} WHERE queue = {queues}.id)) WHERE id = ?",
    )
    .run(move.queue.id);
}

/**
 * Forgets what is over, a bounded number, and answers where it stood. What is left goes with the next steps, for which it
 * is due; whoever asks meanwhile sees by its instant that it is over.
 */
function forgetDue(
  move: Move,
  table: "holders" | "tickets" | "uniques",
  instant: "expires" | "until",
  name: "gate, holder" | "gate, ticket" | "name",
): readonly string[] {
  const { id } = move.queue;
  const gone = move.raw(
    `DELETE FROM {${table}} WHERE (queue, ${name}) IN (SELECT queue, ${name} FROM {${table}} ` +
      `WHERE queue = ? AND ${instant} <= ? ORDER BY ${instant} LIMIT ${CONSEQUENCES_PER_STEP}) RETURNING ${name}`,
  );
  const rows = gone.all(id, move.now) as [unknown, ...unknown[]][];
  if (rows.length === CONSEQUENCES_PER_STEP) move.hasMoreDue = true;
  // Somebody has written into one whose name is no text.
  return rows.flatMap(([first]) => (typeof first === "string" ? first : []));
}
