/** Moving a queue from one storage to another: what is asked of the two. */
import { TaskqError } from "../errors.js";
import { isPlaceInLine, type MoveCounts, type MovedRecord } from "./moved.js";

/**
 * `leaving`: nothing new begins here, what runs is settled, and may enqueue. `left`: it lives elsewhere. `arriving`: it is being filled,
 * and hands nothing out yet.
 */
export type QueuePhase = "open" | "leaving" | "left" | "arriving";

interface Moving {
  readonly queue: string;
  readonly now?: number | undefined;
}

export type ExportRequest = Moving &
  (
    | {
        /** Leaves, or goes on leaving; once nothing runs, the queue is still. */
        readonly kind: "begin";
      }
    | {
        /** Of a still queue. */
        readonly kind: "page";
        readonly departure: string;
        /** Where the page before ended; `undefined`: from the start. */
        readonly cursor: string | undefined;
        /** At most 200. */
        readonly limit: number;
      }
    | {
        /** How much a still queue keeps. */
        readonly kind: "count";
        readonly departure: string;
      }
    | {
        /** Has left for this destination, and no other: the `arrival` of the target. */
        readonly kind: "finish";
        readonly departure: string;
        readonly destination: string;
      }
    | {
        /** Opens again; of a queue that has left, only for whoever knows its destination, and that it did not open. */
        readonly kind: "cancel";
        readonly destination: string | undefined;
      }
  );

export interface ExportAnswer {
  readonly phase: QueuePhase;
  readonly epoch: number;
  /** Names this leaving; another one gets another name. */
  readonly departure: string | undefined;
  /** For where it has left. */
  readonly destination: string | undefined;
  /** Runs that have not ended, as far as known. */
  readonly active: number;
  /** Nothing runs, and nothing changes any more: pages may be read. */
  readonly still: boolean;
  /** Of a page; at most 200 and about 1 MiB, one at least. */
  readonly records: readonly MovedRecord[];
  /** Of a page: where the next one begins; `undefined`: that was the last. */
  readonly cursor: string | undefined;
  /** Of a count. */
  readonly counts: MoveCounts | undefined;
}

export type ImportRequest = Moving &
  (
    | {
        /** Makes an empty queue ready to be filled, or goes on with the same departure. What came of another one is removed. */
        readonly kind: "begin";
        readonly departure: string;
        /** Of the source; the queue's own becomes greater. */
        readonly epoch: number;
        /** Only if it is this arrival already. */
        readonly arrival?: string | undefined;
      }
    | {
        readonly kind: "page";
        readonly departure: string;
        readonly records: readonly MovedRecord[];
        /**
         * The cursor of the page before. Where the queue has another one, since its storage has lost pages or somebody else
         * brings them too, this one is not taken, and the answer tells where to go on. @default taken in any case
         */
        readonly behind?: string | undefined;
        /** Where the next page of the source begins; kept, to go on there. */
        readonly cursor: string | undefined;
      }
    | {
        /** All pages are there: puts together what hangs together. */
        readonly kind: "seal";
        readonly departure: string;
        /** The cursor of the last page: where the queue has another one, nothing is put together. @default it is, in any case */
        readonly behind?: string | undefined;
      }
    | { readonly kind: "open"; readonly departure: string; readonly arrival: string }
    | {
        /** Gives up an arrival that has not opened; what came is removed. */
        readonly kind: "cancel";
        readonly departure: string | undefined;
      }
  );

export interface ImportAnswer {
  readonly phase: QueuePhase;
  readonly epoch: number;
  /** The departure that it is filled from, or was. */
  readonly departure: string | undefined;
  /** Names this target; what the source is told at the end. */
  readonly arrival: string | undefined;
  /** Where the next page begins; `undefined`: at the start, or there is none. */
  readonly cursor: string | undefined;
  /** All pages are there. */
  readonly complete: boolean;
  /** The call did a bounded part of its work, and is to be repeated. */
  readonly more: boolean;
  /** Of a seal that is done. */
  readonly counts: MoveCounts | undefined;
}

/**
 * What a page brings, before any of it is taken in.
 *
 * @throws `TASKQ_MOVE` for a place in a line that is none
 */
export function checkArriving(records: readonly MovedRecord[]): void {
  for (const record of records) {
    if (record.kind !== "job" || record.line === undefined || isPlaceInLine(record.line.place)) continue;
    throw new TaskqError(
      "TASKQ_MOVE",
      `import: expected the place of the job ${record.id} in its line to be a whole number below 2^40, got ${record.line.place}`,
    );
  }
}
