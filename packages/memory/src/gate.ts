/** What a gate is; what it does is in `gates.ts`. */
import { Heap, type HeapItem } from "./heap.js";
import { comesBefore, type Ordered } from "./order.js";
import type { JobRow } from "./rows.js";

/**
 * Something that jobs and tickets wait for in a line. Only locks and concurrency keys have holders; of a limit, the
 * line and the places kept are used; of a task, a pause, a unique key and a schedule, only the line.
 */
export interface Gate extends HeapItem {
  /** `lock:…`, `concurrency:…`, `limit:…`, `task:…`, `pause:…`, `unique:…` or `schedule:…`. */
  readonly name: string;
  /** Active jobs that hold it. */
  readonly jobs: Set<JobRow>;
  /** Tickets that hold it, by ticket. */
  readonly tickets: Map<string, Ticket>;
  /** Tickets in the line, by ticket. */
  readonly waiting: Map<string, Ticket>;
  /** Jobs that it has let go, for which a place is kept until they are claimed. */
  readonly passing: Set<JobRow>;
  readonly line: Heap<Waiter>;
  /** While something waits: the next instant at which it may open by itself; `Infinity`: none. */
  opensAt: number;
  /** Of an unknown task: when jobs in its line may have waited for too long. */
  endsAt: number;
}

export type Waiter = JobRow | Ticket;

/** A place at a lock outside of jobs. */
export interface Ticket extends HeapItem, Ordered {
  readonly kind: "ticket";
  readonly ticket: string;
  readonly owner: string;
  readonly max: number;
  readonly parkOrder: number;
  /** Milliseconds from the answer that tells of the grant. */
  ttl: number;
  /** 0 until it holds. */
  fence: number;
  /** Of its place in the line, then of its hold. */
  expiresAt: number;
}

/**
 * What callers are told: locks and concurrency keys by their key, other lines by their whole name; so is a key that
 * could be taken for such a name.
 */
export function labelOf(name: string): string {
  return name.replace(/^(?:lock|concurrency):(?!(?:lock|concurrency|limit|task|pause|unique|schedule):)/, "");
}

/** The key of a lock, a concurrency key or a limit. */
export function keyOf(name: string): string {
  return name.replace(/^(?:lock|concurrency|limit):/, "");
}

/** A gate without holders and with an empty line. */
export function newGate(name: string): Gate {
  return {
    name,
    jobs: new Set(),
    tickets: new Map(),
    waiting: new Map(),
    passing: new Set(),
    line: new Heap(name.startsWith("unique:") ? parkedBefore : comesBefore),
    opensAt: Infinity,
    endsAt: Infinity,
    heapIndex: -1,
  };
}

function parkedBefore(left: Waiter, right: Waiter): boolean {
  return left.parkOrder < right.parkOrder;
}
