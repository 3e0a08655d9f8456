/** Into how many partitions a queue is divided: kept beside it, since whoever took it otherwise would not find its jobs. */
import { TaskqError } from "@taskq/core/storage";
import type { OpenQueue } from "../open-queue.js";
import { divide, DIVISION_KEY, divisionOf } from "./scripts.js";

/** Before anything of it is made. @throws `TASKQ_OPTION` for a queue that is divided otherwise */
export async function checkDivided(home: OpenQueue, partitions: number): Promise<void> {
  const answer = await home.askBeside(divide, [DIVISION_KEY], { queue: home.name, partitions });
  refuseOther(home.name, answer["partitions"] as number, partitions);
}

/**
 * Of a queue that was opened as a whole: whoever divides it asks before that whether it is there.
 *
 * @throws `TASKQ_OPTION` for a queue that is divided
 */
export async function checkUndivided(queue: OpenQueue): Promise<void> {
  const answer = await queue.askBeside(divisionOf, [DIVISION_KEY], { queue: queue.name });
  refuseOther(queue.name, answer["partitions"] as number, 1);
}

function refuseOther(queue: string, known: number, asked: number): void {
  if (known === asked) return;
  throw new TaskqError(
    "TASKQ_OPTION",
    `redisStorage partitions: expected ${known}, the number that the queue "${queue}" was made with, got ${asked}; ` +
      `write partitions: ${known}, or move the queue to a storage of another keyPrefix that has partitions: ${asked}`,
  );
}
