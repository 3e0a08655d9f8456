import { createQueue, task } from "@taskq/core";
import type { StepAnswer, StorageContract } from "@taskq/core/storage";
import { sqliteStorage } from "@taskq/sqlite";
import type { Channel } from "../roles/channel.js";

export interface ParkedClaims {
  readonly path: string;
  /** Jobs that stand parked at a lock while others are claimed. */
  readonly parked: number;
  /** Jobs that are claimed, ten a step. */
  readonly jobs: number;
}
export interface ParkedClaimsAnswer {
  /** Microseconds a step took, the median. */
  readonly stepMicroseconds: number;
  /** Jobs parked at the end. */
  readonly parked: number;
  readonly claimed: number;
}

const TASKS = ["free", "locked"];
const CLAIM = { begin: 10, ahead: 0, lease: 30_000 };

/** Claims and settles free jobs behind many parked ones, straight at the storage. */
export async function parkedClaims(
  { path, parked, jobs }: ParkedClaims,
  channel: Channel,
): Promise<ParkedClaimsAnswer> {
  const free = task("free", async (n: number) => n);
  const locked = task("locked", { lock: "one" }, async (n: number) => n);
  const storage = sqliteStorage({ path });
  const contract = storage as unknown as StorageContract;
  const queue = createQueue({ storage, tasks: { free, locked } });
  // The first holds the lock; all others park when they are claimed at the latest.
  await queue.enqueueMany(
    Array.from({ length: parked + 1 }, (_, n) => locked.job(n)),
    { priority: 1 },
  );
  let request = 0;
  const step = async (settled: StepAnswer["claimed"]): Promise<StepAnswer["claimed"]> => {
    request += 1;
    const { claimed } = await contract.step({
      queue: queue.name,
      owner: "bench",
      request,
      tasks: TASKS,
      settled: settled.map(({ id, fence }) => ({
        id,
        fence,
        startedAt: Date.now(),
        outcome: { kind: "completed", result: undefined },
        add: undefined,
      })),
      begun: [],
      claim: CLAIM,
    });
    return claimed.filter(({ task: name }) => name === "free");
  };
  while ((await queue.counts()).ready > 0) await step([]);
  await queue.enqueueMany(Array.from({ length: jobs }, (_, n) => free.job(n)));
  await channel.ready();

  const durations: number[] = [];
  let claimed = await step([]);
  let count = claimed.length;
  while (claimed.length > 0) {
    const begun = performance.now();
    claimed = await step(claimed);
    durations.push((performance.now() - begun) * 1_000);
    count += claimed.length;
  }
  const counts = await queue.counts();
  await queue.close();
  const middle = durations.toSorted((a, b) => a - b)[Math.floor(durations.length / 2)] ?? Number.NaN;
  return { stepMicroseconds: middle, parked: counts.parked, claimed: count };
}
