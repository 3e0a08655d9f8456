import type { ControlAnswer, ControlRequest } from "@taskq/core/storage";
import { complete } from "./consequences.js";
import { admitFrom } from "./enqueue.js";
import { dropRevocation } from "./turn-away.js";
import type { Move } from "./move.js";
import { letStandingGo } from "./parking.js";
import { isRevoked } from "./seldom.js";
import { beginLinesAnew } from "./unknown.js";

const NO_TASKS: readonly string[] = [];

/** Changes what may run. The queue's own pause stands under the name `""`. */
export function control(move: Move, { task, change, run }: ControlRequest): ControlAnswer {
  admitFrom(move, run);
  const changed = apply(move, task ?? "", change);
  if (changed) move.scope.hintsOf(move.queue).control = true;
  if (changed && change.kind === "resume") {
    // Nobody could announce a task meanwhile.
    if (task === undefined) beginLinesAnew(move.scope.connection, move.queue.id, move.now);
    letStandingGo(move, NO_TASKS, move.seldom());
    move.becameReady();
  }
  complete(move);
  return { changed, ...standing(move, task) };
}

function standing(
  move: Move,
  task: string | undefined,
): { readonly paused: boolean; readonly revoked: boolean } {
  const current = move.seldom().controls.get(task ?? "");
  return { paused: current?.paused === true, revoked: task !== undefined && isRevoked(current, move.now) };
}

function apply(move: Move, name: string, change: ControlRequest["change"]): boolean {
  const current = move.seldom().controls.get(name);
  switch (change.kind) {
    case "pause":
    case "resume":
      return setPaused(move, name, current?.paused === true, change.kind === "pause");
    case "restore":
      if (name === "" || current === undefined || !isRevoked(current, move.now)) return false;
      dropRevocation(move, name);
      return true;
    case "revoke": {
      const revoked = isRevoked(current, move.now);
      if (name === "" || (revoked && current?.once === change.once && current.until === change.until))
        return false;
      move
        .sql(
          "INSERT INTO {controls} (queue, task, revoked, once, until) VALUES (?, ?, 1, ?, ?) " +
            "ON CONFLICT (queue, task) DO UPDATE SET revoked = 1, once = excluded.once, until = excluded.until",
        )
        .run(move.queue.id, name, change.once ? 1 : 0, change.until ?? null);
      move.changeSeldom();
      return true;
    }
    case "inspect":
      return false;
  }
}

function setPaused(move: Move, name: string, before: boolean, paused: boolean): boolean {
  if (before === paused) return false;
  move
    .sql(
      "INSERT INTO {controls} (queue, task, paused) VALUES (?, ?, ?) " +
        "ON CONFLICT (queue, task) DO UPDATE SET paused = excluded.paused",
    )
    .run(move.queue.id, name, paused ? 1 : 0);
  move
    .sql("DELETE FROM {controls} WHERE queue = ? AND task = ? AND paused = 0 AND revoked = 0")
    .run(move.queue.id, name);
  move.changeSeldom();
  return true;
}
