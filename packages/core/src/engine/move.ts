/** One move that is under way: the two queues, and how it is told and broken off. */
import { TaskqError } from "../errors.js";
import { abortSignal, callable, refuseUnknown, unexpected } from "../options.js";
import type { Queue } from "../vocabulary/queue.js";
import { engineOf } from "./engine-of.js";
import type { Engine } from "./engine-types.js";

/** How a move goes on, and is broken off. */
export interface MoveOptions {
  /** Breaks the move off; call `moveQueue` again to go on, or `cancelMove` to take it back. @default none */
  readonly signal?: AbortSignal;
  /** Called with every step. @default none */
  readonly onProgress?: (progress: MoveProgress) => void;
}

/** How a move is taken back. */
export interface CancelMoveOptions {
  /**
   * The target has lost what had come to it, and that it came: its server was flushed, or came back with an older copy. The source
   * opens although this target knows nothing of the move, as long as it is empty. Where another one is the target, and has opened,
   * the queue is open twice then. @default false
   */
  readonly lost?: boolean;
}

/**
 * `draining`: runs are still active at the source. `copying`: records go over. `comparing`: they are put together and
 * counted. `done`: the target is open.
 */
export interface MoveProgress {
  readonly phase: "draining" | "copying" | "comparing" | "done";
  /** Runs that have not ended. */
  readonly active: number;
  /** Records that went over in this call. */
  readonly records: number;
}

/** What has moved. */
export interface MoveReport {
  /** Records that went over in this call: fewer than there are when an earlier one was broken off. */
  readonly records: number;
  /** What the target keeps, by kind, equal to what the source keeps; `undefined`: the move was done before. */
  readonly counts: Readonly<Record<string, number>> | undefined;
}

export interface Move {
  readonly source: Engine;
  readonly target: Engine;
  readonly about: { readonly queue: string };
  /** As the source has named it in this call. */
  departure: string | undefined;
  records: number;
  /** Throws once the move is to be broken off. */
  readonly check: () => void;
  readonly tell: (phase: MoveProgress["phase"], active: number) => void;
}

/** @throws `TASKQ_OPTION` */
export async function moveOf(from: Queue, to: Queue, options: MoveOptions): Promise<Move> {
  refuseUnknown(options, ["signal", "onProgress"], "moveQueue");
  const signal = abortSignal(options.signal, "moveQueue signal");
  const { onProgress } = options;
  if (onProgress !== undefined) callable(onProgress, "moveQueue onProgress");
  const source = engineOf(from);
  const target = engineOf(to);
  if (source.name !== target.name) {
    throw unexpected("moveQueue to", `a queue of the same name '${source.name}'`, target.name);
  }
  if (source.storage === target.storage) {
    throw new TaskqError("TASKQ_OPTION", "moveQueue: expected two storages, got the same one twice");
  }
  await source.open();
  await target.open();
  const move: Move = {
    source,
    target,
    about: { queue: source.name },
    departure: undefined,
    records: 0,
    check: () => signal?.throwIfAborted(),
    tell: (phase, active) => onProgress?.({ phase, active, records: move.records }),
  };
  return move;
}
