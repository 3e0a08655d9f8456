import { TaskqError } from "../errors.js";
import type { QueuePhase } from "../storage.js";
import type { Engine } from "./engine-types.js";

/**
 * What can be seen to be wrong with the target of a move is told as long as nothing has happened. Answers where the
 * source stands.
 *
 * @throws `TASKQ_MOVE` `TASKQ_MOVED`
 */
export async function refuseTarget(source: Engine, target: Engine): Promise<QueuePhase> {
  const queue = source.name;
  const here = await source.storage.phase({ queue });
  const there = await target.storage.phase({ queue });
  if (there === "leaving" || (there === "left" && here === "left")) {
    const what = there === "left" ? "has moved on from there" : "is itself moving away from there";
    throw new TaskqError("TASKQ_MOVED", `moveQueue to: the queue "${queue}" ${what}`);
  }
  if (here === "open" && there === "open") await refuseJobs(target);
  return here;
}

/** @throws `TASKQ_MOVE` */
export async function refuseJobs({ name, storage, time }: Engine): Promise<void> {
  const all = Object.values(await storage.counts({ queue: name, now: time.requestNow() }));
  const kept = all
    .flatMap((counts) => Object.entries(counts))
    .filter(([, count]) => count > 0)
    .map(([state, count]) => `${count} ${state}`);
  if (kept.length === 0) return;
  throw new TaskqError(
    "TASKQ_MOVE",
    `moveQueue to: expected the queue "${name}" to be empty, got one with jobs (${kept.join(", ")}); ` +
      "the source was left as it is",
  );
}

/**
 * The source had just begun to leave for a target that refused it: it opens again. Answers the error to throw.
 */
export async function takenBack(source: Engine, target: Engine, refusal: unknown): Promise<unknown> {
  const queue = source.name;
  if (!(refusal instanceof TaskqError) || !["TASKQ_MOVE", "TASKQ_MOVED"].includes(refusal.code))
    return refusal;
  // Two storages may be one store: what the source began is seen at the target.
  const isSame = (await target.storage.phase({ queue })) === "leaving";
  await source.storage.export({ queue, kind: "cancel", destination: undefined });
  if (!isSame) return refusal;
  return new TaskqError("TASKQ_OPTION", "moveQueue: expected two stores, got two storages on the same one");
}
