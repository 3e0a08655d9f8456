import { TaskqError } from "../errors.js";
import type { Engine } from "./engine-types.js";

/**
 * What can be seen to be wrong with the target of a move is told as long as nothing has happened.
 *
 * @throws `TASKQ_MOVE` `TASKQ_MOVED` `TASKQ_OPTION`
 */
export async function refuseTarget(source: Engine, target: Engine): Promise<void> {
  const queue = source.name;
  const here = await source.storage.phase({ queue });
  const there = await target.storage.phase({ queue });
  if (there === "leaving" || (there === "left" && here === "left")) {
    const what = there === "left" ? "has moved on from there" : "is itself moving away from there";
    throw new TaskqError("TASKQ_MOVED", `moveQueue to: the queue "${queue}" ${what}`);
  }
  if (here !== "open") return;
  if (there === "open") await refuseJobs(target);
  await refuseSameStore(source, target);
}

async function refuseJobs({ name, storage, time }: Engine): Promise<void> {
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

/** Two storages may be one store: what the source begins is then seen at the target. */
async function refuseSameStore(source: Engine, target: Engine): Promise<void> {
  const queue = source.name;
  await source.storage.export({ queue, kind: "begin", now: source.time.requestNow() });
  if ((await target.storage.phase({ queue })) !== "leaving") return;
  await source.storage.export({ queue, kind: "cancel", destination: undefined });
  throw new TaskqError("TASKQ_OPTION", "moveQueue: expected two stores, got two storages on the same one");
}
