/** What comes before a consumer's first claim. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Engine } from "@taskq/core/engine";
import { TaskqError } from "@taskq/core/storage";
import type { ServedQueue } from "./served-queue.js";

/** Errors of an opening that may pass; any other one is told at once, so that a wrong path is not waited for. */
const PASSING: ReadonlySet<string> = new Set(["TASKQ_UNAVAILABLE", "TASKQ_BUSY"]);

/** Opens every queue; waits for a storage that is away until the signal aborts. */
export async function openEngines(queues: readonly ServedQueue[], signal: AbortSignal): Promise<void> {
  await Promise.all(queues.map((served) => open(served, signal)));
}

async function open({ engine, worker }: ServedQueue, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      await engine.open();
      return worker.outage.answered();
    } catch (error) {
      if (!(error instanceof TaskqError && PASSING.has(error.code))) throw error;
      worker.outage.failed(error);
    }
    await sleep(worker.outage.pause(), undefined, { signal }).catch(() => {});
  }
}

/** @throws `TASKQ_NOT_YET` for tasks that ask for a thread or a process */
export function refuseIsolation(engines: readonly Engine[]): void {
  const names = engines.flatMap(({ policies }) =>
    [...policies].filter(([, { isolate }]) => isolate !== "none").map(([name]) => `'${name}'`),
  );
  if (names.length === 0) return;
  throw new TaskqError(
    "TASKQ_NOT_YET",
    `isolated tasks come with a later release: expected isolate: 'none', got 'thread' or 'process' for ${names.join(", ")}`,
  );
}
