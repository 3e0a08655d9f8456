/** A queue in several partitions that is filled: all that comes lies at home, since no record tells what belongs to it. */
import { TaskqError, type ImportAnswer, type ImportRequest, type StoredCounts } from "@taskq/core/storage";
import { SCRIPTS } from "../lua/scripts.js";
import type { DividedQueue } from "./divided-queue.js";
import { forgetGathered, goOnFollowing } from "./events.js";
import { peekAt } from "./peeked.js";
import { HOME } from "./place.js";

/** Fences begin at so many times the epoch. */
const EPOCH = 2 ** 40;

export async function importQueue(queue: DividedQueue, request: ImportRequest): Promise<ImportAnswer> {
  switch (request.kind) {
    case "page":
      return queue.home.import(request);
    case "begin":
      return begin(queue, request);
    case "seal": {
      const { departure } = request;
      await besides(queue, { ...request, departure });
      return queue.home.import(request);
    }
    case "open": {
      // The home partition last: while it has not opened, the queue has not.
      await besides(queue, request);
      const answer = await queue.home.import(request);
      await goOnFollowing(queue, request.now);
      return answer;
    }
    default: {
      const answer = await queue.home.import(request);
      await besides(queue, request);
      return answer;
    }
  }
}

async function begin(
  queue: DividedQueue,
  request: Extract<ImportRequest, { readonly kind: "begin" }>,
): Promise<ImportAnswer> {
  await refuseFilled(queue, request.now);
  for (const part of queue.queues) part.stats.startAnew();
  const { now } = request;
  const standing = await Promise.all(queue.queues.map((part) => peekAt(part, { now, wanted: 0, tasks: "" })));
  // All get the same one.
  const epoch = Math.max(request.epoch, ...standing.map(({ fence }) => Math.floor(fence / EPOCH)));
  const answer = await queue.home.import({ ...request, epoch });
  if (answer.phase !== "arriving" || answer.arrival === undefined) return answer;
  if (standing[HOME]?.phase !== "arriving") await forgetGathered(queue, now);
  // They arrive under the same name, and are opened by it.
  const asked = { ...request, epoch: answer.epoch - 1, arrival: undefined };
  await queue.others(async (_, number) => {
    await queue.queue(number).ask(SCRIPTS.import, asked, { name: answer.arrival });
  });
  return answer;
}

/** As the home partition does, before that has become one that arrives. */
async function refuseFilled(queue: DividedQueue, now: number | undefined): Promise<void> {
  const asked = { queue: queue.name, now };
  for (const part of queue.parts.slice(1)) {
    if ((await part.phase(asked)) !== "open") continue;
    const { "*": counts } = await part.counts(asked);
    const kept = Object.values((counts ?? {}) as Partial<StoredCounts>).reduce((sum, one) => sum + one, 0);
    if (kept === 0) continue;
    throw new TaskqError(
      "TASKQ_MOVE",
      `import: expected the queue "${queue.name}" to be empty, got one that keeps something`,
    );
  }
}

async function besides(queue: DividedQueue, request: ImportRequest): Promise<void> {
  await queue.others(async (part) => {
    while ((await part.import(request)).more);
  });
}
