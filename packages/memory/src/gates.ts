/** Parking jobs under gates, holding gates, and letting those in line go when one opens. */
import { LET_GO_BY_LIMIT, type NewGate } from "@taskq/core/storage";
import { labelOf, type Gate, type Ticket, type Waiter } from "./gate.js";
import { addStart, countStarts, instantOfRoom, limitOf, removeStart } from "./limits.js";
import type { Move } from "./queue-state.js";
import type { JobRow } from "./rows.js";
import { enterLine, makeReady, report, setState } from "./transition.js";

/** Locks, concurrency keys and limits are names of one space each. */
export function nameOf(gate: NewGate): string {
  return `${gate.kind}:${gate.key}`;
}

/**
 * The first gate of a ready job that it may not pass now. One that a gate has let go finds closed only what is held or
 * used up: two that each have a place kept where the other needs one would else give up theirs in turns, for ever; and
 * those behind it may allow more holders than it does.
 */
export function firstClosed(move: Move, row: JobRow): NewGate | undefined {
  return row.job.gates?.find((gate) => !isOpen(move, gate, row));
}

function isOpen(move: Move, own: NewGate, row: JobRow): boolean {
  const gate = move.queue.gates.get(nameOf(own));
  if (own.kind === "limit") return hasRoom(move, own, row, gate);
  if (gate === undefined) return true;
  dropExpired(move, gate);
  return row.passing === undefined ? hasPlace(gate, own.max) : placesHeld(gate) < own.max;
}

/** A place that is kept at a limit is one in its line; it does not hold the window open. */
function hasRoom(move: Move, own: NewGate, row: JobRow, gate: Gate | undefined): boolean {
  const started = countStarts(move, limitOf(own));
  if (gate === undefined || row.passing !== undefined) return started < own.max;
  return gate.line.size === 0 && started + gate.passing.size < own.max;
}

function placesHeld(gate: Gate): number {
  return gate.jobs.size + gate.tickets.size;
}

/** Places that are held or kept. */
function taken(gate: Gate): number {
  return placesHeld(gate) + gate.passing.size;
}

/** Whether a newcomer with this maximum may hold the gate at once. */
export function hasPlace(gate: Gate, max: number): boolean {
  return gate.line.size === 0 && taken(gate) < max;
}

/** Takes all gates of a job that begins to run. */
export function holdGates(move: Move, row: JobRow, fence: number): void {
  for (const gate of row.job.gates ?? []) {
    if (gate.kind === "limit") addStart(move, limitOf(gate), { time: move.now, holder: row.id, fence });
    else takePlace(move.queue.gateOf(nameOf(gate)), row);
  }
  stopPassing(move, row);
}

/** The place that was kept for a job is the one that it takes: as many are taken as before, and none in line goes by that. */
function takePlace(gate: Gate, row: JobRow): void {
  gate.jobs.add(row);
  if (row.passing !== gate) return;
  row.passing = undefined;
  gate.passing.delete(row);
}

/** Gives back all gates of a run that has ended. */
export function freeGates(move: Move, row: JobRow): void {
  for (const gate of row.job.gates ?? []) {
    const held = move.queue.gates.get(nameOf(gate));
    if (held?.jobs.delete(row) === true) openGate(move, held);
  }
}

/** Gives back the starts that an unbegun run has used up. */
export function giveStartsBack(move: Move, row: JobRow, fence: number): void {
  for (const own of row.job.gates ?? []) {
    if (own.kind !== "limit" || !removeStart(move, own.key, { holder: row.id, fence })) continue;
    const gate = move.queue.gates.get(nameOf(own));
    if (gate !== undefined) openGate(move, gate);
  }
}

/** Puts a job that is in no place into the line of a gate. */
export function park(move: Move, row: JobRow, name: string): void {
  const gate = move.queue.gateOf(name);
  if (gate.line.size === 0) gate.endsAt = move.now + move.queue.unknownAfter;
  setState(move, row, "parked");
  row.gate = name;
  row.parkOrder = move.queue.nextOrder();
  gate.line.push(row);
  if (isTaskLine(name)) move.queue.taskLines.add(gate);
  planOpening(move, gate);
  report(move, row, "parked", { gate: labelOf(name) });
}

function isTaskLine(name: string): boolean {
  return name.startsWith("task:") || name.startsWith("pause:");
}

/** Takes a waiting job out of its place; it keeps its state until it is given another one. */
export function withdraw(move: Move, row: JobRow): void {
  const { queue } = move;
  if (row.state === "scheduled") queue.scheduled.remove(row);
  if (row.state === "ready") {
    queue.ready.remove(row);
    stopPassing(move, row);
  }
  if (row.state !== "parked" || row.gate === undefined) return;
  const gate = queue.gateOf(row.gate);
  gate.line.remove(row);
  row.gate = undefined;
  // The next one may need fewer places free than this one did.
  openGate(move, gate);
}

/** Lets the first in line go as far as there are places. Lines without holders are let go by `letGo` only. */
export function openGate(move: Move, gate: Gate): void {
  dropExpired(move, gate);
  for (let head = gate.line.peek(); head !== undefined; head = gate.line.peek()) {
    const max = placesFor(move, head, gate);
    if (max === undefined || taken(gate) >= max) break;
    gate.line.pop();
    if (head.kind === "ticket") grant(move, gate, head);
    else letThrough(move, gate, head);
  }
  planOpening(move, gate);
}

/** Lets a job go, and keeps a place for it. It was due when it was parked, though the clock may have been set back. */
function letThrough(move: Move, gate: Gate, row: JobRow): void {
  gate.passing.add(row);
  row.passing = gate;
  row.gate = undefined;
  makeReady(move, row);
  report(move, row, "readied", { gate: labelOf(gate.name) });
}

/** Lets the first in line go, whatever the gate; answers how many went. */
export function letGo(move: Move, gate: Gate, limit: number): number {
  let gone = 0;
  while (gone < limit) {
    const head = gate.line.peek();
    if (head === undefined || head.kind === "ticket") break;
    gate.line.pop();
    enterFromLine(move, head);
    gone += 1;
  }
  planOpening(move, gate);
  return gone;
}

/**
 * A job taken out of a line goes on to the ready or the scheduled ones. In the line of a task it was due, though the clock
 * may have been set back.
 */
function enterFromLine(move: Move, row: JobRow): void {
  const gate = row.gate;
  row.gate = undefined;
  if (gate !== undefined && isTaskLine(gate)) makeReady(move, row);
  else enterLine(move, row);
  if (row.state === "ready") report(move, row, "readied", gate === undefined ? {} : { gate: labelOf(gate) });
}

/**
 * The holders that whoever is in line allows at a time, or the starts that he allows now; `undefined`: the gate has
 * none.
 */
function placesFor(move: Move, head: Waiter, gate: Gate): number | undefined {
  if (head.kind === "ticket") return head.max;
  const own = ownGate(head, gate);
  if (own?.kind !== "limit") return own?.max;
  return Math.min(own.max - countStarts(move, limitOf(own)), LET_GO_BY_LIMIT);
}

function ownGate(row: JobRow, gate: Gate): NewGate | undefined {
  return row.job.gates?.find((own) => nameOf(own) === gate.name);
}

/** Gives a ticket that is in no line the gate: until its place would have been lost, unless it is asked for again. */
export function grant({ queue, now }: Move, gate: Gate, ticket: Ticket): void {
  gate.waiting.delete(ticket.ticket);
  ticket.fence = queue.nextFence();
  ticket.expiresAt = Math.min(now + ticket.ttl, ticket.expiresAt);
  gate.tickets.set(ticket.ticket, ticket);
  queue.hints.control();
}

function stopPassing(move: Move, row: JobRow): void {
  const gate = row.passing;
  if (gate === undefined) return;
  row.passing = undefined;
  gate.passing.delete(row);
  openGate(move, gate);
}

/** Tickets that have run out lose their hold or their place. */
function dropExpired({ now }: Move, gate: Gate): void {
  for (const [name, ticket] of gate.tickets) if (ticket.expiresAt <= now) gate.tickets.delete(name);
  for (const [name, ticket] of gate.waiting) {
    if (ticket.expiresAt > now) continue;
    gate.waiting.delete(name);
    gate.line.remove(ticket);
  }
}

/** Keeps the instant at which the gate may open by itself; lets go of a gate that nobody uses. */
export function planOpening(move: Move, gate: Gate): void {
  const { queue } = move;
  queue.opening.remove(gate);
  if (gate.line.size === 0) {
    queue.taskLines.delete(gate);
    if (taken(gate) === 0) queue.gates.delete(gate.name);
    return;
  }
  gate.opensAt = instantOf(move, gate);
  if (gate.opensAt !== Infinity) queue.opening.push(gate);
}

/** Plans anew when limits with a line open: a clock that was set back has left their instants too far ahead. */
export function planLimitsAnew(move: Move): void {
  const { queue } = move;
  for (const gate of queue.gates.values()) {
    if (gate.name.startsWith("limit:") && gate.line.size > 0) planOpening(move, gate);
  }
  queue.hints.ready();
}

/** Whether it is the line of an unknown task. */
export function isUnknown({ name }: Gate): boolean {
  return name.startsWith("task:");
}

function instantOf(move: Move, gate: Gate): number {
  const { queue } = move;
  const head = gate.line.peek();
  const own = head?.kind === "job" ? ownGate(head, gate) : undefined;
  if (own?.kind === "limit") {
    // Those that were let go tell as they begin, while they are as many as may be.
    const { size } = gate.passing;
    return size < LET_GO_BY_LIMIT ? instantOfRoom(move, limitOf(own), size) : Infinity;
  }
  if (isUnknown(gate)) return gate.endsAt;
  if (gate.name.startsWith("unique:")) {
    const until = queue.uniques.get(gate.name.slice("unique:".length))?.holder.job.unique?.until;
    return typeof until === "number" ? until : Infinity;
  }
  let first = Infinity;
  for (const { expiresAt } of gate.tickets.values()) first = Math.min(first, expiresAt);
  for (const { expiresAt } of gate.waiting.values()) first = Math.min(first, expiresAt);
  return first;
}
