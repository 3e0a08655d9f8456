import { gateName } from "./gates.js";
import type { Key, MetaGate } from "./row.js";
import { countStarts, limitOf, type Looking } from "./starts.js";

/**
 * The first of its gates that a ready row may not pass now. One that a gate has let go finds closed only what is held or
 * used up: two that each have a place kept where the other needs one would else give up theirs in turns, for ever; and
 * those behind it may allow more holders than it does.
 */
export function closedGate(looking: Looking, key: Key, gates: readonly MetaGate[]): MetaGate | undefined {
  let isLetGo: boolean | undefined;
  return gates.find((gate) => {
    const started = gate.kind === "limit" ? countStarts(looking, limitOf(gate)) : 0;
    if (started >= gate.max) return true;
    const [taken, held, own] = placesAt(looking, key, gate, started);
    if (held >= gate.max) return true;
    if (own > 0 || (taken < gate.max && !hasLine(looking, gateName(gate)))) return false;
    isLetGo ??= gates.some((other) => hasPlace(looking, key, gateName(other)));
    return !isLetGo;
  });
}

/** Places that are taken at a gate, with those that are kept; that are held; and that of this row. */
function placesAt(
  looking: Looking,
  key: Key,
  gate: MetaGate,
  started: number,
): readonly [taken: number, held: number, own: number] {
  const [taken, kept, own] = looking
    .raw(
      "SELECT count(*), coalesce(sum(fence = 0), 0), coalesce(sum(holder = ?), 0) FROM {holders} " +
        "WHERE queue = ? AND gate = ? AND (expires IS NULL OR expires > ?)",
    )
    .get(key, looking.queue.id, gateName(gate), looking.now) as [number, number, number];
  // A place that is kept at a limit is one in its line; it does not hold the window open.
  return [started + taken, started + taken - kept, own];
}

function hasPlace(looking: Looking, key: Key, gate: string): boolean {
  return (
    looking
      .raw("SELECT 1 FROM {holders} WHERE queue = ? AND gate = ? AND holder = ?")
      .get(looking.queue.id, gate, key) !== undefined
  );
}

function hasLine(looking: Looking, gate: string): boolean {
  const { id } = looking.queue;
  const [waits] = looking
    .raw(
      "SELECT EXISTS (SELECT 1 FROM {jobs} WHERE queue = ? AND gate = ? AND state = 3) OR " +
        "EXISTS (SELECT 1 FROM {tickets} WHERE queue = ? AND gate = ? AND until > ?)",
    )
    .get(id, gate, id, gate, looking.now) as [number];
  return waits !== 0;
}
