/** Tasks whose next jobs are skipped. */
import type { QueueState, TaskRevocation } from "./queue-state.js";

/** Whether jobs of a task are skipped now, and how. */
export function revocationOf(queue: QueueState, task: string, now: number): TaskRevocation | undefined {
  const revocation = queue.revokedTasks.get(task);
  if (revocation?.until === undefined || revocation.until > now) return revocation;
  queue.revokedTasks.delete(task);
  return undefined;
}

/** A job or an instant of the task was skipped. */
export function useUpRevocation(queue: QueueState, task: string): void {
  if (queue.revokedTasks.get(task)?.once === true) queue.revokedTasks.delete(task);
}
