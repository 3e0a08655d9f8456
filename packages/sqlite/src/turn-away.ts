/** Jobs that are ready and yet may not run: each is put where it belongs. */
import type { Claiming } from "./claiming.js";
import { closedGate } from "./closed-gate.js";
import { endIfExpired, finish, releaseGates } from "./final.js";
import { gateName, placesTaken, takeGate } from "./gates.js";
import { takeStart } from "./limits.js";
import { park } from "./line.js";
import type { Move } from "./move.js";
import type { ReadyRow } from "./ready-rows.js";
import { CANCELLED, GATED, keyOf, metaOf, READY, VERDICT, type Meta, type Row } from "./row.js";
import { rowByKey } from "./rows.js";
import { isRevoked } from "./seldom.js";
import { skipIfDead } from "./skip-dead.js";
import { openLine } from "./unknown.js";

/** Puts a ready row that may not run where it belongs; answers whether it did. */
export function turnAway(claiming: Claiming, claimed: ReadyRow): boolean {
  const { move, seldom } = claiming;
  const [time, low, , task] = claimed;
  const row = rowByKey(move.scope.connection, keyOf(time, low)) as Row;
  if (row.state !== READY || skipIfDead(move, row) || endIfExpired(move, row)) return true;
  const control = seldom.controls.get(task);
  const standing = standingGate(claiming, task, control?.paused === true);
  if (standing !== undefined) {
    releaseGates(move, row);
    parkStanding(move, row, standing);
    return true;
  }
  if (isRevoked(control, move.now)) {
    cancelRevoked(claiming, row, control?.once === true);
    return true;
  }
  return (row.flags & GATED) !== 0 && !passGates(claiming, claimed, row);
}

function cancelRevoked({ move, seldom }: Claiming, row: Row, once: boolean): void {
  finish(move, row, CANCELLED, { reason: "revoked", cause: null });
  move.effect(row, "cancelled", row);
  if (!once) return;
  const controls = seldom.controls as Map<string, unknown>;
  controls.delete(row.task);
  dropRevocation(move, row.task);
}

/** The revocation of a task is used up, or taken back. */
export function dropRevocation(move: Move, task: string): void {
  move
    .sql("UPDATE {controls} SET revoked = 0, once = 0, until = NULL WHERE queue = ? AND task = ?")
    .run(move.queue.id, task);
  move
    .sql("DELETE FROM {controls} WHERE queue = ? AND task = ? AND paused = 0 AND revoked = 0")
    .run(move.queue.id, task);
  move.changeSeldom();
}

/** The gate of a task that is paused, or that the owner does not know. */
function standingGate({ move, request }: Claiming, task: string, paused: boolean): string | undefined {
  if (!move.queue.knownTasks(request.tasks).has(task)) return `task:${task}`;
  return paused ? `pause:${task}` : undefined;
}

/** Parks a row under a gate that the queue remembers until it has let all go. */
function parkStanding(move: Move, row: Row, gate: string): void {
  park(move, row, gate);
  if (openLine(move, gate)) move.changeSeldom();
}

/** Takes the gates of a row, or hands it over with a verdict, or parks it. */
function passGates(claiming: Claiming, claimed: ReadyRow, row: Row): boolean {
  const { move, request } = claiming;
  const meta = metaOf(row);
  const gates = meta.gates ?? [];
  const closed = closedGate(move, row.key, gates);
  if (closed === undefined) {
    for (const gate of gates) {
      if (gate.kind === "limit") takeStart(move, row, gate, claiming.turn.fence);
      else takeGate(move, row, gate, { owner: request.owner, fence: claiming.turn.fence });
    }
    return true;
  }
  releaseGates(move, row);
  if (closed.onBusy === "wait") {
    const name = gateName(closed);
    park(move, row, name);
    // It has to be told when the limit opens; and where nobody has a place, nobody comes who would let the line go.
    if (closed.kind === "limit" || placesTaken(move, name) === 0) move.opened.add(name);
    return false;
  }
  const verdict: Meta["verdict"] = { kind: closed.onBusy, gate: closed.key, gateKind: closed.kind };
  claimed[12] = JSON.stringify({ ...meta, verdict });
  claimed[10] |= VERDICT;
  move.sql("UPDATE {jobs} SET meta = ? WHERE key = ?").run(claimed[12], row.key);
  return true;
}
