import type { NewJob } from "@taskq/core/storage";

/**
 * A job of task "work" that nothing stands in the way of, for tests that speak to a storage themselves.
 *
 * @param changes what is otherwise; `due` is 0 when it is not given, and `named` false
 * @example
 * const job = plainJob(makeId(Date.now()), { priority: 5 });
 * await storage.enqueue({ queue, flows: [{ end: job.id, jobs: [job], joins: [] }] });
 */
export function plainJob(id: string, changes: Partial<NewJob> = {}): NewJob {
  return {
    id,
    named: false,
    task: "work",
    body: new Uint8Array([1]),
    priority: 0,
    due: 0,
    expiresAt: undefined,
    delivery: "at-least-once",
    after: undefined,
    gates: undefined,
    unique: undefined,
    keep: undefined,
    ...changes,
  };
}
