/** What was done, minute by minute, and how long the oldest job has been waiting. */
import { STATS_KEPT, type StatsAnswer, type StatsRequest } from "@taskq/core/storage";
import type { Move, QueueState } from "./queue-state.js";
import type { JobRow } from "./rows.js";

export function stats({ queue, now }: Move, { since, byTask }: StatsRequest): StatsAnswer {
  const answer = {
    oldestDue: oldestDue(queue, now),
    rows: queue.stats.rows(Math.max(since, now - STATS_KEPT)),
  };
  return byTask === true ? { ...answer, oldestDueByTask: oldestByTask(queue, now) } : answer;
}

/** When the job became due that waits longest; looks at all that wait. One that is parked may not be due. */
function oldestDue({ ready, scheduled, gates }: QueueState, now: number): number | undefined {
  let oldest = Infinity;
  for (const { due } of ready.items) oldest = Math.min(oldest, due);
  // It may be due, and no step has made it ready yet.
  oldest = Math.min(oldest, scheduled.peek()?.due ?? Infinity);
  for (const { line } of gates.values()) {
    for (const waiter of line.items) if (waiter.kind === "job") oldest = Math.min(oldest, waiter.due);
  }
  return oldest <= now ? oldest : undefined;
}

function oldestByTask({ ready, scheduled, gates }: QueueState, now: number): Record<string, number> {
  const oldest = new Map<string, number>();
  const look = ({ due, job }: JobRow): void => {
    if (due <= now) oldest.set(job.task, Math.min(oldest.get(job.task) ?? Infinity, due));
  };
  for (const row of [...ready.items, ...scheduled.items]) look(row);
  for (const { line } of gates.values()) {
    for (const waiter of line.items) if (waiter.kind === "job") look(waiter);
  }
  return Object.fromEntries(oldest);
}
