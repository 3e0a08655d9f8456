/** Pausing and revoking tasks, and pausing the queue. */
import type { ControlAnswer, ControlRequest } from "@taskq/core/storage";
import { letKnownGo } from "./opening.js";
import type { Move, QueueState } from "./queue-state.js";
import { revocationOf } from "./revocation.js";
import { beginLinesAnew } from "./unknown.js";
import { admitFrom } from "./runs.js";

const NO_TASKS: ReadonlySet<string> = new Set();

/** Changes what may run. */
export function control(move: Move, { task, change, run }: ControlRequest): ControlAnswer {
  admitFrom(move.queue, run);
  const { queue, now } = move;
  const changed = task === undefined ? controlQueue(queue, change) : controlTask(move, task, change);
  if (changed) queue.hints.control();
  if (changed && change.kind === "resume") {
    // Nobody could announce a task meanwhile.
    if (task === undefined) beginLinesAnew(move);
    letKnownGo(move, NO_TASKS);
    queue.hints.ready();
  }
  return {
    changed,
    paused: task === undefined ? queue.paused : queue.pausedTasks.has(task),
    revoked: task !== undefined && revocationOf(queue, task, now) !== undefined,
  };
}

/** A queue as a whole is not revoked. */
function controlQueue(queue: QueueState, change: ControlRequest["change"]): boolean {
  const before = queue.paused;
  if (change.kind === "pause") queue.paused = true;
  if (change.kind === "resume") queue.paused = false;
  return queue.paused !== before;
}

function controlTask({ queue, now }: Move, task: string, change: ControlRequest["change"]): boolean {
  const revocation = revocationOf(queue, task, now);
  switch (change.kind) {
    case "pause":
      if (queue.pausedTasks.has(task)) return false;
      queue.pausedTasks.add(task);
      return true;
    case "resume":
      return queue.pausedTasks.delete(task);
    case "restore":
      return queue.revokedTasks.delete(task);
    case "revoke":
      if (revocation?.once === change.once && revocation.until === change.until) return false;
      queue.revokedTasks.set(task, { once: change.once, until: change.until });
      return true;
    case "inspect":
      return false;
  }
}
