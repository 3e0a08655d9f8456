import type { KeyHolder, KeysAnswer, KeysRequest } from "@taskq/core/storage";
import type { Connection } from "./connection.js";
import { complete } from "./consequences.js";
import { firstParked, firstTicket, grant, openGate, placesTaken, ticketHolder } from "./gates.js";
import type { Move } from "./move.js";
import type { OpenQueue } from "./open-queue.js";

type Acquire = Extract<KeysRequest, { readonly kind: "acquire" }>;
type Renewal = Pick<Acquire, "ticket" | "ttl">;

interface Held {
  readonly fence: number;
}

/** Takes, keeps, gives back or looks at a lock. */
export function keys(move: Move, request: KeysRequest): KeysAnswer {
  const gate = `lock:${request.name}`;
  dropExpired(move, gate);
  const answer = answerTo(move, gate, request);
  complete(move);
  return { ...answer, holders: holdersOf(move.scope.connection, move.queue, gate, move.now) };
}

/** Looks at a lock without writing. */
export function inspectKey(connection: Connection, queue: OpenQueue, name: string, now: number): KeysAnswer {
  const holders = holdersOf(connection, queue, `lock:${name}`, now);
  return { status: "inspected", fence: undefined, expiresAt: undefined, holders };
}

/** Whoever has run out goes first, and the next in line holds it from now on. */
function dropExpired(move: Move, gate: string): void {
  const { id } = move.queue;
  const holders = move
    .sql("DELETE FROM {holders} WHERE queue = ? AND gate = ? AND expires <= ?")
    .run(id, gate, move.now).changes;
  const waiting = move
    .sql("DELETE FROM {tickets} WHERE queue = ? AND gate = ? AND until <= ?")
    .run(id, gate, move.now).changes;
  if (holders + waiting > 0) openGate(move, gate);
}

type Answer = Omit<KeysAnswer, "holders">;

function answerTo(move: Move, gate: string, request: KeysRequest): Answer {
  switch (request.kind) {
    case "acquire":
      return acquire(move, gate, request);
    case "renew":
      return renew(move, gate, request);
    case "release":
      return plain(release(move, gate, request.ticket) ? "released" : "none");
    case "inspect":
      return plain("inspected");
  }
}

function plain(status: KeysAnswer["status"]): Answer {
  return { status, fence: undefined, expiresAt: undefined };
}

function heldBy(move: Move, gate: string, ticket: string): Held | undefined {
  return move
    .sql("SELECT fence FROM {holders} WHERE queue = ? AND gate = ? AND holder = ?")
    .get(move.queue.id, gate, ticketHolder(ticket)) as Held | undefined;
}

function acquire(move: Move, gate: string, request: Acquire): Answer {
  const held = heldBy(move, gate, request.ticket);
  if (held !== undefined) return prolong(move, gate, request, held);
  if (askAgain(move, gate, request)) return plain("waiting");
  const inLine = firstParked(move, gate) !== undefined || firstTicket(move, gate) !== undefined;
  if (!inLine && placesTaken(move, gate) < request.max) {
    const fence = grant(move, gate, request);
    return { status: "held", fence, expiresAt: move.now + request.ttl };
  }
  if (request.wait === undefined) return plain("busy");
  stand(move, gate, request, request.wait);
  return plain("waiting");
}

/** Keeps the place of one that waits already. */
function askAgain(move: Move, gate: string, request: Acquire): boolean {
  const until = move.now + (request.wait ?? 0);
  const { changes } = move
    .sql("UPDATE {tickets} SET ttl = ?, until = ? WHERE queue = ? AND gate = ? AND ticket = ?")
    .run(request.ttl, until, move.queue.id, gate, request.ticket);
  if (changes > 0) move.wakeAt(until);
  return changes > 0;
}

function stand(move: Move, gate: string, request: Acquire, wait: number): void {
  move
    .sql(
      "INSERT INTO {tickets} (queue, gate, ticket, owner, max, ttl, since, until) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .run(
      move.queue.id,
      gate,
      request.ticket,
      request.owner,
      request.max,
      request.ttl,
      move.now,
      move.now + wait,
    );
  move.wakeAt(move.now + wait);
}

function renew(move: Move, gate: string, request: Renewal): Answer {
  const held = heldBy(move, gate, request.ticket);
  return held === undefined ? plain("lost") : prolong(move, gate, request, held);
}

/** The time to live begins anew: at a renewal, and when the holder is told that it is one. */
function prolong(move: Move, gate: string, { ticket, ttl }: Renewal, held: Held): Answer {
  const expires = move.now + ttl;
  move
    .sql("UPDATE {holders} SET expires = ? WHERE queue = ? AND gate = ? AND holder = ?")
    .run(expires, move.queue.id, gate, ticketHolder(ticket));
  move.wakeAt(expires);
  return { status: "held", fence: held.fence, expiresAt: expires };
}

/** Without a ticket, from every holder, runs of jobs too; places kept for jobs that the gate has let go stay theirs. */
function release(move: Move, gate: string, ticket: string | undefined): boolean {
  const { id } = move.queue;
  const { changes } =
    ticket === undefined
      ? move.sql("DELETE FROM {holders} WHERE queue = ? AND gate = ? AND fence <> 0").run(id, gate)
      : move
          .sql("DELETE FROM {holders} WHERE queue = ? AND gate = ? AND holder = ?")
          .run(id, gate, ticketHolder(ticket));
  const left =
    ticket === undefined || changes > 0
      ? 0
      : move.sql("DELETE FROM {tickets} WHERE queue = ? AND gate = ? AND ticket = ?").run(id, gate, ticket)
          .changes;
  if (changes + left === 0) return false;
  openGate(move, gate);
  return true;
}

interface HolderRow {
  readonly owner: string;
  readonly fence: number;
  readonly expires: number | null;
}

function holdersOf(
  connection: Connection,
  queue: OpenQueue,
  gate: string,
  now: number,
): readonly KeyHolder[] {
  const rows = connection
    .sql(
      "SELECT owner, fence, expires FROM {holders} WHERE queue = ? AND gate = ? AND fence <> 0 " +
        "AND (expires IS NULL OR expires > ?) ORDER BY expires IS NULL, fence",
    )
    .all(queue.id, gate, now) as HolderRow[];
  return rows.map(({ owner, fence, expires }) => ({
    owner,
    fence,
    expiresAt: expires ?? leaseUntil(connection, queue, fence),
  }));
}

function leaseUntil(connection: Connection, queue: OpenQueue, fence: number): number {
  const row = connection
    .raw("SELECT max(until) FROM {leases} WHERE queue = ? AND fence = ?")
    .get(queue.id, fence) as [number | null];
  return row[0] ?? 0;
}
