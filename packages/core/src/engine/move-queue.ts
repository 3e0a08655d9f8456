/**
 * Moving a queue to another storage, in steps each of which may be the last one of this process, and before each of which a
 * storage may have gone back to what it was earlier: a server that is started with an older copy, or a replica that was behind.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { TaskqError } from "../errors.js";
import { flag, refuseUnknown } from "../options.js";
import type { ExportAnswer, ImportAnswer, QueuePhase } from "../storage.js";
import type { Queue } from "../vocabulary/queue.js";
import { comeToRest } from "./come-to-rest.js";
import type { Engine } from "./engine-types.js";
import { fillTarget } from "./fill-target.js";
import { moveOf, type CancelMoveOptions, type Move, type MoveOptions, type MoveReport } from "./move.js";
import { refuseJobs, refuseTarget, takenBack } from "./refuse-target.js";
import { runOn } from "./run-scope.js";

/** How often a move goes on by itself after one of the two has gone back to what it was earlier. */
const ROUNDS = 5;

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
  const move = await moveOf(from, to, options);
  refuseInHandler(move.source);
  const before = await refuseTarget(move.source, move.target);
  for (let round = 1; ; round += 1) {
    try {
      return await moveOn(move, before);
    } catch (error) {
      if (round === ROUNDS || !isMoved(error) || !(await mayGoOn(move))) throw error;
    }
  }
}

/** Goes on from wherever an earlier call, or an earlier round of this one, has left the two. */
async function moveOn(move: Move, before: QueuePhase): Promise<MoveReport> {
  const { source, about } = move;
  move.check();
  const left = await source.storage.export({ ...about, kind: "begin", now: source.time.requestNow() });
  const departure = named(left.departure, "departure");
  await refuseTakenBack(move, departure);
  const hasLeft = left.phase === "left";
  // The target closes too, before anybody has turned to it.
  const target = await begin(move, left, departure).catch(async (error: unknown) => {
    throw before === "open" && !hasLeft ? await takenBack(source, move.target, error) : error;
  });
  const arrival = named(target.arrival, "arrival");
  // Only a source that has gone back to what it was earlier has not left for a target that has opened.
  const hasOpened = target.phase === "open";
  if (!hasLeft) await comeToRest(source, move.check, (active) => move.tell("draining", active));
  const isWhole = hasOpened || (hasLeft && target.complete);
  const counts = isWhole ? undefined : await fillTarget(move, departure, target);
  if (!hasLeft) {
    if (!hasOpened) await refuseLess(move, left, { departure, arrival });
    move.check();
    await source.storage.export({ ...about, kind: "finish", departure, destination: arrival });
  }
  if (!hasOpened) await open(move, { departure, arrival });
  move.tell("done", 0);
  return { records: move.records, counts };
}

/** Somebody has opened the source since this call began. @throws `TASKQ_MOVED` */
async function refuseTakenBack(move: Move, departure: string): Promise<void> {
  const known = move.departure ?? departure;
  move.departure = departure;
  if (known === departure) return;
  await move.source.storage.export({ ...move.about, kind: "cancel", destination: undefined });
  throw new TaskqError(
    "TASKQ_MOVED",
    `moveQueue: the move of "${move.about.queue}" was taken back meanwhile`,
  );
}

/** Between a source that is leaving, or has left, and a target that may be filled: one of them had gone back to what it was earlier. */
async function mayGoOn({ source, target, about }: Move): Promise<boolean> {
  const here = await source.storage.phase(about);
  const there = await target.storage.phase(about);
  return (here === "leaving" || here === "left") && (there === "open" || there === "arriving");
}

/**
 * Takes a move back that has not opened its target: the source opens again, and what came to the target is removed.
 *
 * @throws `TASKQ_MOVED` when the target has opened, `TASKQ_MOVE` when it knows nothing of the move
 * @example
 * await cancelMove(from, to);
 */
export async function cancelMove(from: Queue, to: Queue, options: CancelMoveOptions = {}): Promise<void> {
  refuseUnknown(options, ["lost"], "cancelMove");
  const lost = flag(options.lost ?? false, "cancelMove lost");
  const move = await moveOf(from, to, {});
  const { source, about } = move;
  const phase = await source.storage.phase(about);
  if (phase === "leaving") await refuseOpened(move);
  const refused = await refusalOf(
    source.storage.export({ ...about, kind: "cancel", destination: undefined }),
  );
  if (refused === undefined) {
    // Nothing opens the target any more: what came to it can go, if it is the target at all.
    await refusalOf(cancelArrival(move, undefined));
    return;
  }
  // The source has left: the target must not be able to open before the source does.
  const { arrival } = await cancelArrival(move, undefined);
  const cancel = (destination: string | undefined): Promise<unknown> =>
    source.storage.export({ ...about, kind: "cancel", destination });
  if (arrival !== undefined && (await refusalOf(cancel(arrival))) === undefined) return;
  await refuseUnlessLost(move, lost);
  const now = source.time.requestNow();
  const { destination } = await source.storage.export({ ...about, kind: "begin", now });
  await cancel(destination);
}

/** The target knows nothing of the move. @throws `TASKQ_MOVE` */
async function refuseUnlessLost({ target, about }: Move, lost: boolean): Promise<void> {
  if (lost) return refuseJobs(target);
  throw new TaskqError(
    "TASKQ_MOVE",
    `cancelMove to: the queue "${about.queue}" has left for a target that is not this one, or that has lost all of it ` +
      "(its server was flushed, or came back with an older copy); if that is so, and sure: cancelMove(from, to, { lost: true })",
  );
}

/** A source that is leaving may have left before, and have gone back to what it was then. @throws `TASKQ_MOVED` */
async function refuseOpened(move: Move): Promise<void> {
  const { departure } = await move.source.storage.export({
    ...move.about,
    kind: "begin",
    now: move.source.time.requestNow(),
  });
  if (departure !== undefined) await cancelArrival(move, departure);
}

/** Empty, once that is done. */
async function cancelArrival({ target, about }: Move, departure: string | undefined): Promise<ImportAnswer> {
  for (;;) {
    const answer = await target.storage.import({ ...about, kind: "cancel", departure });
    if (!answer.more) return answer;
    await nextTurn();
  }
}

/** The error, if it is that the queue has moved. */
async function refusalOf(call: Promise<unknown>): Promise<TaskqError | undefined> {
  try {
    await call;
    return undefined;
  } catch (error) {
    if (isMoved(error)) return error;
    throw error;
  }
}

function isMoved(error: unknown): error is TaskqError {
  return error instanceof TaskqError && error.code === "TASKQ_MOVED";
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
async function begin(
  move: Move,
  { epoch, destination }: Pick<ExportAnswer, "epoch" | "destination">,
  departure: string,
): Promise<ImportAnswer> {
  const { storage } = move.target;
  for (;;) {
    move.check();
    const request = { ...move.about, kind: "begin", departure, epoch, arrival: destination } as const;
    const answer = await storage.import(request);
    if (!answer.more) return answer;
    await nextTurn();
  }
}

interface Names {
  readonly departure: string;
  readonly arrival: string;
}

/** Before the source lets go: the target may have gone back meanwhile. @throws `TASKQ_MOVED` */
async function refuseLess(move: Move, { epoch }: ExportAnswer, { departure, arrival }: Names): Promise<void> {
  const { complete } = await begin(move, { epoch, destination: arrival }, departure);
  if (complete) return;
  throw new TaskqError(
    "TASKQ_MOVED",
    `moveQueue: the target has lost what had come to it; nothing was opened, and the same call goes on`,
  );
}

async function open(move: Move, { departure, arrival }: Names): Promise<void> {
  const { source, target, about } = move;
  const refused = await refusalOf(target.storage.import({ ...about, kind: "open", departure, arrival }));
  if (refused === undefined) return;
  // It does not know the arrival that it has just been told to open: nobody can open it any more.
  if ((await target.storage.phase(about)) === "open") {
    await source.storage.export({ ...about, kind: "cancel", destination: arrival });
    const left = await source.storage.export({ ...about, kind: "begin", now: source.time.requestNow() });
    move.departure = left.departure;
  }
  throw refused;
}

function named(name: string | undefined, what: string): string {
  if (name !== undefined) return name;
  throw new TaskqError("TASKQ_STORAGE", `a storage named no ${what}`);
}
