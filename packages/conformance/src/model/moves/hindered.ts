/** Claims of a queue in several partitions, where some of the jobs that are met may not be handed out. */
import type { ClaimRequest, JobRecord } from "@taskq/core/storage";
import { QUEUE, TASKS, type World } from "../world.js";

/** What a claim asks for. */
export type Part = Pick<ClaimRequest, "begin" | "ahead" | "ids">;

export interface Hindered {
  /** One claim of all that may be handed out. */
  readonly all: Part;
  /** So many jobs, each by its id. */
  readonly each: readonly Part[];
}

/** More than there are. */
const EVERYTHING = 1_000;

/**
 * Where what was seen first may not be handed out, each partition gives what comes next there; and jobs that are asked for by their
 * ids are taken partition by partition. Which jobs a claim of a few is handed is left to a storage then: all are asked for, or
 * one by one. `undefined`: the claim itself is answered alike.
 */
export async function hinderedClaim(
  world: World,
  { begin, ahead, ids }: Part,
  tasks: readonly string[],
): Promise<Hindered | undefined> {
  const { spread } = world;
  if (spread === undefined) return undefined;
  const waiting = await waitingJobs(world);
  const paused = await pausedTasks(world);
  const isHindered = waiting.some(
    ({ id, task, state }) =>
      spread.isGated(id) || (state !== "parked" && (!tasks.includes(task) || paused.has(task))),
  );
  if (!isHindered && ids === undefined) return undefined;
  const each = (ids ?? waiting.map(({ id }) => id)).slice(0, begin + ahead);
  return {
    // Gates are only passed by what begins.
    all: begin > 0 ? { begin: EVERYTHING, ahead: 0, ids } : { begin, ahead: EVERYTHING, ids },
    each: each.map((id) => ({ begin: 1, ahead: 0, ids: [id] })),
  };
}

/** As the storage has them that is tested. */
async function waitingJobs(world: World): Promise<readonly JobRecord[]> {
  const { now } = world;
  const records = await world.storages.tested.read({ queue: QUEUE, ids: world.there(), now });
  return records
    .filter((record) => record?.kind === "job")
    .filter(
      ({ state, due }) => state === "ready" || state === "parked" || (state === "scheduled" && due <= now),
    );
}

async function pausedTasks(world: World): Promise<ReadonlySet<string>> {
  const paused = new Set<string>();
  for (const task of TASKS) {
    const change = { kind: "inspect" } as const;
    const answer = await world.storages.reference.control({ queue: QUEUE, task, change, now: world.now });
    if (answer.paused) paused.add(task);
  }
  return paused;
}
