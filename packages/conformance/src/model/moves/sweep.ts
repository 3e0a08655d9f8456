/** Ends what a claim would end by the way. */
import { isFinal, type JobRecord, type StoredState } from "@taskq/core/storage";
import { observe } from "../observe.js";
import { LEASE, QUEUE, TASKS, type World } from "../world.js";
import { runStep } from "./run-step.js";

const OWNER = "sweep";
const ROUNDS = 40;

/**
 * A claim ends jobs that are expired or revoked when it meets them, and what becomes ready by that may be handed out
 * by the same claim or by the next: that is left to a storage. Hence claims that ask for such a job alone come first,
 * of an owner that knows every task: a job of a task that is not known may be parked or not.
 */
export async function sweep(world: World): Promise<void> {
  const tried = new Set<string>();
  for (let round = 0; round < ROUNDS; round += 1) {
    const job = (await doomed(world)).find((one) => isWaiting(one.state) && !tried.has(one.id));
    if (job === undefined) return;
    await claimOnly(world, job.id);
    await observe(world);
    const after = world.known.get(job.id);
    // One that is not met waits at a gate, which the end of another may open.
    if (after !== undefined && isWaiting(after.state)) tried.add(job.id);
    else tried.clear();
  }
}

async function claimOnly(world: World, id: string): Promise<void> {
  const { request, now } = { request: world.nextRequest(OWNER), now: world.now };
  await runStep(
    world,
    OWNER,
    () => ({
      queue: QUEUE,
      owner: OWNER,
      request,
      tasks: TASKS,
      settled: [],
      begun: [],
      claim: { begin: 1, ahead: 0, lease: LEASE, ids: [id] },
      now,
    }),
    false,
  );
}

/** Unfinished jobs that end when a claim meets them. */
export async function doomed(world: World): Promise<readonly JobRecord[]> {
  const revoked = new Set<string>();
  for (const task of TASKS) {
    const change = { kind: "inspect" } as const;
    const answer = await world.storages.reference.control({ queue: QUEUE, task, change, now: world.now });
    if (answer.revoked) revoked.add(task);
  }
  return [...world.known.values()]
    .filter((record) => record.kind === "job")
    .filter(({ state, task, expiresAt }) => {
      const expired = expiresAt !== undefined && expiresAt <= world.now;
      return !isFinal(state) && (expired || revoked.has(task));
    });
}

function isWaiting(state: StoredState): boolean {
  return state === "ready" || state === "scheduled" || state === "parked";
}
