/** Locks and semaphores outside of jobs, in the lines of the jobs' locks. */
import type { KeyHolder, KeysAnswer, KeysRequest } from "@taskq/core/storage";
import type { Gate, Ticket } from "./gate.js";
import { grant, hasPlace, openGate, planOpening } from "./gates.js";
import type { Move } from "./queue-state.js";

type Acquire = Extract<KeysRequest, { readonly kind: "acquire" }>;

/** Takes, keeps, gives back or looks at a lock. */
export function keys(move: Move, request: KeysRequest): KeysAnswer {
  const name = `lock:${request.name}`;
  const known = move.queue.gates.get(name);
  // Whoever has run out goes first, and the next in line holds it from now on.
  if (known !== undefined) openGate(move, known);
  const gate = move.queue.gateOf(name);
  const result = answerTo(move, gate, request);
  planOpening(move, gate);
  return result;
}

function answerTo(move: Move, gate: Gate, request: KeysRequest): KeysAnswer {
  switch (request.kind) {
    case "acquire":
      return acquire(move, gate, request);
    case "renew": {
      const held = gate.tickets.get(request.ticket);
      if (held === undefined) return answer(gate, "lost");
      held.expiresAt = move.now + request.ttl;
      return answer(gate, "held", held);
    }
    case "release":
      return answer(gate, release(move, gate, request.ticket) ? "released" : "none");
    case "inspect":
      return answer(gate, "inspected");
  }
}

function acquire(move: Move, gate: Gate, request: Acquire): KeysAnswer {
  const held = gate.tickets.get(request.ticket);
  if (held !== undefined) return told(move, gate, held, request);
  const waiting = gate.waiting.get(request.ticket);
  if (waiting !== undefined) {
    waiting.ttl = request.ttl;
    waiting.expiresAt = move.now + (request.wait ?? 0);
    return answer(gate, "waiting");
  }
  if (hasPlace(gate, request.max)) {
    const ticket = newTicket(move, request);
    grant(move, gate, ticket);
    return told(move, gate, ticket, request);
  }
  if (request.wait === undefined) return answer(gate, "busy");
  const ticket = newTicket(move, request);
  gate.waiting.set(request.ticket, ticket);
  gate.line.push(ticket);
  return answer(gate, "waiting");
}

/** The time to live begins when the holder is told. */
function told({ now }: Move, gate: Gate, held: Ticket, { ttl }: Acquire): KeysAnswer {
  held.expiresAt = now + ttl;
  return answer(gate, "held", held);
}

/** Higher than the order of any job. */
const BEHIND_JOBS = 2 ** 52;

/** Stands in line like a job of priority 0 that has become due now, behind those of the same millisecond. */
function newTicket({ queue, now }: Move, request: Acquire): Ticket {
  const order = queue.nextOrder() + BEHIND_JOBS;
  return {
    kind: "ticket",
    ticket: request.ticket,
    owner: request.owner,
    max: request.max,
    ttl: request.ttl,
    priority: 0,
    due: now,
    order,
    parkOrder: order,
    fence: 0,
    expiresAt: now + (request.wait ?? 0),
    heapIndex: -1,
  };
}

/** Without a ticket, from every holder, runs of jobs too. */
function release(move: Move, gate: Gate, name: string | undefined): boolean {
  const released = name === undefined ? releaseAll(gate) : releaseOne(gate, name);
  if (released) openGate(move, gate);
  return released;
}

function releaseAll(gate: Gate): boolean {
  const held = gate.tickets.size + gate.jobs.size > 0;
  gate.tickets.clear();
  gate.jobs.clear();
  return held;
}

function releaseOne(gate: Gate, name: string): boolean {
  if (gate.tickets.delete(name)) return true;
  const waiting = gate.waiting.get(name);
  if (waiting === undefined) return false;
  gate.waiting.delete(name);
  return gate.line.remove(waiting);
}

function answer(gate: Gate, status: KeysAnswer["status"], ticket?: Ticket): KeysAnswer {
  return { status, fence: ticket?.fence, expiresAt: ticket?.expiresAt, holders: holdersOf(gate) };
}

function holdersOf(gate: Gate): readonly KeyHolder[] {
  const tickets = [...gate.tickets.values()].map(({ owner, fence, expiresAt }) => ({
    owner,
    fence,
    expiresAt,
  }));
  const jobs = [...gate.jobs].flatMap(({ run }) =>
    run === undefined ? [] : [{ owner: run.owner, fence: run.fence, expiresAt: run.leaseUntil }],
  );
  return [...tickets, ...jobs];
}
