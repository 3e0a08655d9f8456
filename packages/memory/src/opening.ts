/** What becomes possible as time passes: jobs that are due, gates that open by themselves, lines that a step lets go. */
import type { Gate } from "./gate.js";
import { isUnknown, openGate, letGo, planOpening } from "./gates.js";
import type { Move, QueueState } from "./queue-state.js";
import { holderOf } from "./unique.js";
import { setState } from "./transition.js";
import { endUnknown } from "./unknown.js";

/** Jobs of one task or pause that a step lets go. */
const LET_GO_PER_STEP = 500;

/** Makes due jobs ready. */
export function promote(move: Move): void {
  const { queue, now } = move;
  for (let row = queue.scheduled.peek(); row !== undefined && row.due <= now; row = queue.scheduled.peek()) {
    queue.scheduled.pop();
    setState(move, row, "ready");
    queue.ready.push(row);
  }
}

/** Opens the gates whose instant has come. */
export function openDueGates(move: Move, knows: ReadonlySet<string>): void {
  const { queue, now } = move;
  const lines: Gate[] = [];
  for (
    let gate = queue.opening.peek();
    gate !== undefined && gate.opensAt <= now;
    gate = queue.opening.peek()
  ) {
    queue.opening.pop();
    if (isUnknown(gate)) {
      lines.push(gate);
      continue;
    }
    if (gate.name.startsWith("unique:")) {
      holderOf(move, gate.name.slice("unique:".length));
      planOpening(move, gate);
    } else openGate(move, gate);
  }
  endUnknown(move, lines, knows);
}

/** Lets jobs of known tasks and of resumed ones go; answers whether there are more of them. */
export function letKnownGo(move: Move, knows: ReadonlySet<string>): boolean {
  const { queue } = move;
  let left = LET_GO_PER_STEP;
  for (const gate of queue.taskLines) {
    const known = gate.name.startsWith("task:") && knows.has(gate.name.slice("task:".length));
    const resumed =
      gate.name.startsWith("pause:") && !queue.pausedTasks.has(gate.name.slice("pause:".length));
    if (!known && !resumed) continue;
    gate.endsAt = move.now + queue.unknownAfter;
    left -= letGo(move, gate, left);
    if (left === 0) return gate.line.size > 0;
  }
  return false;
}

/** When something next becomes due, or a gate opens by itself. */
export function nextDue(queue: QueueState): number | undefined {
  const instants = [queue.scheduled.peek()?.due, queue.opening.peek()?.opensAt];
  const known = instants.filter((instant) => instant !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}
