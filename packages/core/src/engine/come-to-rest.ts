import type { ExportAnswer } from "../storage.js";
import type { Engine } from "./engine-types.js";

/** How often it is asked whether all runs have ended, in milliseconds. */
const PAUSE = 50;
/** Runs that are reaped in one call. */
const REAPED_AT_ONCE = 1_000;

/**
 * Begins to leave, or goes on leaving, until nothing runs: nothing new begins, what runs ends, or comes back when its
 * lease is over. From then on nothing changes, and pages can be read.
 *
 * @param check throws once this is to be broken off; the queue goes on leaving then
 * @throws `TASKQ_MOVED` of a queue that is being filled
 */
export async function comeToRest(
  { name: queue, storage, time }: Engine,
  check: () => void,
  tell: (active: number) => void,
): Promise<ExportAnswer> {
  for (;;) {
    check();
    const now = time.requestNow();
    const answer = await storage.export({ queue, kind: "begin", now });
    if (answer.still) return answer;
    tell(answer.active);
    if (answer.active === 0) continue;
    await storage.reap({ queue, limit: REAPED_AT_ONCE, now });
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
}
