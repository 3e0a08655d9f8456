/** Moving a queue to another storage, in steps each of which may be the last one of this process. */
import { setImmediate as nextTurn } from "node:timers/promises";
import { TaskqError } from "../errors.js";
import { abortSignal, callable, refuseUnknown, unexpected } from "../options.js";
import { MOVED_AT_ONCE, type ExportAnswer, type ImportAnswer, type MoveCounts } from "../storage.js";
import type { Queue } from "../vocabulary/queue.js";
import { engineOf } from "./engine-of.js";
import { comeToRest } from "./come-to-rest.js";
import type { Engine } from "./engine-types.js";
import { refuseTarget, takenBack } from "./refuse-target.js";
import { resealer } from "./reseal.js";
import { runOn } from "./run-scope.js";

/** How a move goes on, and is broken off. */
export interface MoveOptions {
  /** Breaks the move off; call `moveQueue` again to go on, or `cancelMove` to take it back. @default none */
  readonly signal?: AbortSignal;
  /** Called with every step. @default none */
  readonly onProgress?: (progress: MoveProgress) => void;
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

/**
 * Moves a queue to another storage: waiting jobs, flows in flight, results, values, schedules, pauses, unique keys,
 * given ids, the starts of limits and statistics. Both queues have the same name; the target must be empty. The source begins nothing new from the first
 * moment (`TASKQ_MOVED`), what runs ends where it is and may enqueue there, then everything is copied, compared by count, and the target opens.
 *
 * Broken off at any point, by a kill too, it goes on when it is called again with the same two queues; until the target
 * has opened, `cancelMove` takes it back. Never are both open. What the source kept stays there, to be read, until it
 * is flushed.
 *
 * A target that is not empty, that is moving itself or that is the source is refused, and the source stays open.
 * Where messages are signed, those that the source can read are signed anew for the target, with their old time; what it cannot read goes over as it is, and cannot be read there either.
 *
 * @throws `TASKQ_OPTION` `TASKQ_MOVED` when the source moved elsewhere, `TASKQ_MOVE` when the target is not empty or the counts differ, `TASKQ_WAIT_IN_HANDLER` in a handler of the queue
 * @example
 * await moveQueue(
 *   createQueue({ storage: sqliteStorage({ path: "old.db" }), tasks }),
 *   createQueue({ storage: sqliteStorage({ path: "new.db" }), tasks }),
 * );
 */
export async function moveQueue(from: Queue, to: Queue, options: MoveOptions = {}): Promise<MoveReport> {
  const move = await begun(from, to, options);
  refuseInHandler(move.source);
  const before = await refuseTarget(move.source, move.target);
  move.check();
  const left = await move.source.storage.export({
    ...move.about,
    kind: "begin",
    now: move.source.time.requestNow(),
  });
  const departure = named(left.departure, "departure");
  // The target closes too, before anybody has turned to it.
  const target = await begin(move, left, departure).catch(async (error: unknown) => {
    throw before === "open" ? await takenBack(move.source, move.target, error) : error;
  });
  if (target.phase === "open") return report(move, undefined);
  const arrival = named(target.arrival, "arrival");
  if (left.phase === "left") {
    await open(move, departure, arrival);
    return report(move, undefined);
  }
  await comeToRest(move.source, move.check, (active) => move.tell("draining", active));
  if (!target.complete) await copy(move, departure, target.cursor);
  const counts = await compare(move, departure);
  move.check();
  await move.source.storage.export({ ...move.about, kind: "finish", departure, destination: arrival });
  await open(move, departure, arrival);
  return report(move, counts);
}

/**
 * Takes a move back that has not opened its target: the source opens again, and what came to the target is removed.
 *
 * @throws `TASKQ_MOVED` when the target has opened
 * @example
 * await cancelMove(from, to);
 */
export async function cancelMove(from: Queue, to: Queue): Promise<void> {
  const { source, target, about } = await begun(from, to, {});
  const refused = await refusalOf(
    source.storage.export({ ...about, kind: "cancel", destination: undefined }),
  );
  if (refused === undefined) {
    // Nothing opens the target any more: what came to it can go, if it is the target at all.
    await refusalOf(cancelArrival(target, about));
    return;
  }
  // The source has left: the target must not be able to open before the source does.
  const { arrival } = await cancelArrival(target, about);
  if (arrival === undefined) throw refused;
  await source.storage.export({ ...about, kind: "cancel", destination: arrival });
}

/** The error, if it is that the queue has moved. */
async function refusalOf(call: Promise<unknown>): Promise<TaskqError | undefined> {
  try {
    await call;
    return undefined;
  } catch (error) {
    if (error instanceof TaskqError && error.code === "TASKQ_MOVED") return error;
    throw error;
  }
}

async function cancelArrival(target: Engine, about: About): Promise<ImportAnswer> {
  for (;;) {
    const answer = await target.storage.import({ ...about, kind: "cancel", departure: undefined });
    if (!answer.more) return answer;
    await nextTurn();
  }
}

interface About {
  readonly queue: string;
}

interface Moving {
  readonly source: Engine;
  readonly target: Engine;
  readonly about: About;
  records: number;
  /** Throws once the move is to be broken off. */
  readonly check: () => void;
  readonly tell: (phase: MoveProgress["phase"], active: number) => void;
}

async function begun(from: Queue, to: Queue, options: MoveOptions): Promise<Moving> {
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
  const move: Moving = {
    source,
    target,
    about: { queue: source.name },
    records: 0,
    check: () => signal?.throwIfAborted(),
    tell: (phase, active) => onProgress?.({ phase, active, records: move.records }),
  };
  return move;
}

/** It would wait until its own run has ended. */
function refuseInHandler(source: Engine): void {
  const run = runOn(source);
  if (run === undefined) return;
  throw new TaskqError(
    "TASKQ_WAIT_IN_HANDLER",
    `the handler of job ${run.id} moves its own queue, which waits until that job has ended: call it from elsewhere`,
  );
}

/** A source that has left opens the target for which it has left, and no other. */
async function begin(move: Moving, left: ExportAnswer, departure: string): Promise<ImportAnswer> {
  const { storage } = move.target;
  const { epoch, destination } = left;
  for (;;) {
    move.check();
    const request = { ...move.about, kind: "begin", departure, epoch, arrival: destination } as const;
    const answer = await storage.import(request);
    if (!answer.more) return answer;
    await nextTurn();
  }
}

async function copy(move: Moving, departure: string, from: string | undefined): Promise<void> {
  const { source, target, about } = move;
  let cursor = from;
  const reseal = resealer(source, target);
  do {
    move.check();
    const page = await source.storage.export({
      ...about,
      kind: "page",
      departure,
      cursor,
      limit: MOVED_AT_ONCE,
      now: source.time.requestNow(),
    });
    // Behind the last page there is nothing: it is read again should the move be broken off here.
    const next = page.cursor ?? cursor;
    const records = reseal === undefined ? page.records : await reseal(page.records);
    await target.storage.import({ ...about, kind: "page", departure, records, cursor: next });
    move.records += page.records.length;
    move.tell("copying", 0);
    cursor = page.cursor;
    // A storage in this process answers at once, and whoever breaks it off would wait for all of it.
    await nextTurn();
  } while (cursor !== undefined);
}

/** @throws `TASKQ_MOVE` when the two differ; then nothing is opened */
async function compare(move: Moving, departure: string): Promise<MoveCounts> {
  const { source, target, about } = move;
  for (;;) {
    move.check();
    move.tell("comparing", 0);
    const answer = await target.storage.import({ ...about, kind: "seal", departure });
    if (answer.more) {
      await nextTurn();
      continue;
    }
    const { counts: expected = {} } = await source.storage.export({ ...about, kind: "count", departure });
    const counts = answer.counts ?? {};
    const different = [...new Set([...Object.keys(expected), ...Object.keys(counts)])].filter(
      (name) => (expected[name] ?? 0) !== (counts[name] ?? 0),
    );
    if (different.length === 0) return counts;
    const list = different.map((name) => `${name} ${expected[name] ?? 0} and ${counts[name] ?? 0}`);
    throw new TaskqError(
      "TASKQ_MOVE",
      `moveQueue: expected the target to keep what the source does, got ${list.join(", ")}; ` +
        "nothing was opened, and cancelMove takes the move back",
    );
  }
}

async function open(move: Moving, departure: string, arrival: string): Promise<void> {
  await move.target.storage.import({ ...move.about, kind: "open", departure, arrival });
}

function report(move: Moving, counts: MoveCounts | undefined): MoveReport {
  move.tell("done", 0);
  return { records: move.records, counts };
}

function named(name: string | undefined, what: string): string {
  if (name !== undefined) return name;
  throw new TaskqError("TASKQ_STORAGE", `a storage named no ${what}`);
}
