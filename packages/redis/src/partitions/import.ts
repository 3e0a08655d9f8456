/** A queue in several partitions that is filled: all that comes lies at home, since no record tells what belongs to it. */
import { TaskqError, type ImportAnswer, type ImportRequest } from "@taskq/core/storage";
import { EPOCH } from "../lua/fences.js";
import { SCRIPTS } from "../lua/scripts.js";
import { ending, toBeFilled } from "../moving.js";
import type { DividedQueue } from "./divided-queue.js";
import { forgetGathered, goOnFollowing } from "./events.js";
import { peekAt } from "./peeked.js";
import { HOME } from "./place.js";

export async function importQueue(queue: DividedQueue, request: ImportRequest): Promise<ImportAnswer> {
  for (const part of queue.queues) toBeFilled(part, request);
  switch (request.kind) {
    case "page":
      return queue.home.import(request);
    case "begin":
      return begin(queue, request);
    case "seal": {
      await sealOthers(queue, request);
      return queue.home.import(request);
    }
    case "open": {
      const { departure, arrival } = request;
      const known = {
        queue: queue.name,
        now: request.now,
        kind: "begin",
        departure,
        epoch: 0,
        arrival,
      } as const;
      // It is refused, and by the home partition, before any other one opens.
      if (!(await queue.home.import(known)).complete) return queue.home.import(request);
      // Another one that has gone back since may not know that all is there.
      await sealOthers(queue, request);
      // The home partition last: while it has not opened, the queue has not.
      await besides(queue, request);
      const answer = await queue.home.import(request);
      await goOnFollowing(queue, request.now);
      return answer;
    }
    default: {
      const answer = await queue.home.import(request);
      // One that has opened before the home partition could may have taken something since, and keeps it.
      await queue.others((_, number) => queue.queue(number).ask(ending, request, { beside: true }));
      return answer;
    }
  }
}

async function begin(
  queue: DividedQueue,
  request: Extract<ImportRequest, { readonly kind: "begin" }>,
): Promise<ImportAnswer> {
  const { now } = request;
  const standing = await Promise.all(queue.queues.map((part) => peekAt(part, { now, wanted: 0, tasks: "" })));
  // All get the same one.
  const epoch = Math.max(request.epoch, ...standing.map(({ fence }) => Math.floor(fence / EPOCH)));
  const answer = await queue.home.import({ ...request, epoch });
  const { arrival } = answer;
  if (arrival === undefined) return answer;
  const isOpen = answer.phase === "open";
  // One that has gone back since to where it arrived is opened again.
  if (isOpen && standing.some(({ phase }) => phase === "arriving")) {
    const { departure } = request;
    await sealOthers(queue, request);
    await besides(queue, { queue: queue.name, now, kind: "open", departure, arrival });
  }
  if (isOpen) return answer;
  if (standing[HOME]?.phase === "open" && (await isFilled(queue, now))) {
    await queue.home.import({ queue: queue.name, now, kind: "cancel", departure: request.departure });
    throw new TaskqError(
      "TASKQ_MOVE",
      `import: expected the queue "${queue.name}" to be empty, got one that keeps something`,
    );
  }
  if (standing[HOME]?.phase !== "arriving") await forgetGathered(queue, now);
  // They arrive under the same name, and are opened by it.
  const asked = { ...request, epoch: answer.epoch - 1, arrival: undefined };
  await queue.others(async (_, number) => {
    await queue.queue(number).ask(SCRIPTS.import, asked, { name: arrival, beside: true });
  });
  return answer;
}

/** Whether another partition than the home one keeps anything. */
async function isFilled(queue: DividedQueue, now: number | undefined): Promise<boolean> {
  const parts = await queue.others((part) => part.counts({ queue: queue.name, now }));
  return parts.some(({ "*": counts }) => Object.values(counts ?? {}).some((count) => count > 0));
}

/** Nothing comes to them. One that has opened, before the home partition could, stays open. */
async function sealOthers(
  queue: DividedQueue,
  { now, departure }: { readonly now?: number | undefined; readonly departure: string },
): Promise<void> {
  const request = { queue: queue.name, now, kind: "seal", departure } as const;
  await queue.others(async (_, number) => {
    const part = queue.queue(number);
    while ((await part.ask(SCRIPTS.import, request, { beside: true })).answer["more"] === true);
  });
}

async function besides(queue: DividedQueue, request: ImportRequest): Promise<void> {
  await queue.others(async (part) => {
    while ((await part.import(request)).more);
  });
}
