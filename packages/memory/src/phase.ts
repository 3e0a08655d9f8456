/** Where a queue stands in its move to another storage, and what it refuses there. */
import { movedError } from "@taskq/core/storage";
import type {
  MovedEdge,
  MovedJob,
  MovedJoin,
  MovedStart,
  MovedStats,
  MovedUnique,
} from "@taskq/core/storage";
import type { QueueState } from "./queue-state.js";

export interface Moving {
  /** `leaving` once nothing runs any more. */
  still: boolean;
  /** Names the last leaving. */
  departure: string | undefined;
  destination: string | undefined;
  /** The leaving of the source from which the queue is filled, or was. */
  origin: string | undefined;
  arrival: string | undefined;
  cursor: string | undefined;
  arriving: Arriving | undefined;
}

/** What has come, and is put together at the end. */
export interface Arriving {
  readonly rows: Map<string, MovedJob | MovedJoin>;
  readonly edges: Map<string, MovedEdge>;
  readonly uniques: Map<string, MovedUnique>;
  /** By job, the position of the last line of its log. */
  readonly lines: Map<string, number>;
  /** The queue's own count on until it opens, and these then too. */
  readonly starts: Map<string, MovedStart>;
  readonly stats: Map<string, MovedStats>;
  /** All pages are there. */
  complete: boolean;
}

export function newArriving(): Arriving {
  return {
    rows: new Map(),
    edges: new Map(),
    uniques: new Map(),
    lines: new Map(),
    starts: new Map(),
    stats: new Map(),
    complete: false,
  };
}

export function notMoving(): Moving {
  return {
    still: false,
    departure: undefined,
    destination: undefined,
    origin: undefined,
    arrival: undefined,
    cursor: undefined,
    arriving: undefined,
  };
}

/** Refuses what is new. @throws `TASKQ_MOVED` */
export function admit({ phase, name }: QueueState): void {
  if (phase !== "open") throw movedError(name, phase);
}

/** Whether nothing may change: only what runs could, and nothing does. */
export function isStill({ phase, moving }: QueueState): boolean {
  return phase === "left" || phase === "arriving" || (phase === "leaving" && moving.still);
}

/** Refuses what runs may still do. @throws `TASKQ_MOVED` */
export function refuseStill(queue: QueueState): void {
  if (isStill(queue)) throw movedError(queue.name, queue.phase);
}
