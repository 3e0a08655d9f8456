import type { QueuePhase, StorageRequest } from "@taskq/core/storage";
import { SCRIPTS } from "../lua/scripts.js";
import type { OpenQueue, Told } from "../open-queue.js";
import { textIfAny } from "../wire/values.js";

/** What one partition answered, or a queue that lies whole in one place. */
export interface OpenedPart {
  readonly epoch: number;
  readonly phase: QueuePhase;
  /** When it was made, by the server's clock, to tell it from one in its place; of one that was flushed nothing tells. */
  readonly made: string | undefined;
  /** Whether this call has made it. */
  readonly isNew: boolean;
}

/**
 * @param controls what it heeds if it is made anew, packed
 * @param partitions how many there are, for the home one to know if it is made anew
 */
export async function openPart(
  part: OpenQueue,
  { queue, retention, unknownAfter, now }: StorageRequest<"open">,
  controls?: Buffer,
  partitions?: number,
): Promise<OpenedPart> {
  const { completed, failed } = retention;
  const kept = [completed.for, completed.max, failed.for, failed.max];
  // One that is made anew must not give again what was given here.
  const about = { retention: kept, unknownAfter, epoch: part.presence.epoch, controls, partitions };
  let answer: Told["answer"];
  // What many rows tell of a queue whose own row is gone is gathered in parts.
  do ({ answer } = await part.ask(SCRIPTS.open, { queue, now }, about));
  while (answer["part"] === true);
  part.presence.timesOpened += 1;
  return {
    epoch: answer["epoch"] as number,
    phase: answer["phase"] as QueuePhase,
    made: textIfAny(answer["made"]),
    isNew: answer["isNew"] === true,
  };
}
