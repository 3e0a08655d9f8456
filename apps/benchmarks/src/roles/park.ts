import { createQueue, task, type TaskOptions } from "@taskq/core";
import type { StorageContract } from "@taskq/core/storage";
import { redisStorage } from "@taskq/redis";
import { sqliteStorage } from "@taskq/sqlite";
import type { EachGuard } from "../peers/competitor.js";
import type { Channel } from "./channel.js";

export interface Park {
  /** The file of the queue, or the URL of its server. */
  readonly path: string;
  /** What the jobs wait for; of `unique`, a lock, while each has a key of its own taken. */
  readonly guard: EachGuard;
  readonly jobs: number;
}
export interface ParkAnswer {
  readonly parked: number;
  /** Jobs that hold what the others wait for. */
  readonly active: number;
}

const SHUT = "shut";
const DAY = 86_400_000;

const guards: { readonly [Name in EachGuard]: TaskOptions<number> } = {
  lock: { lock: SHUT },
  "one-lock": { lock: SHUT },
  limit: { limit: { key: SHUT, max: 1, per: DAY } },
  unique: { lock: SHUT, unique: { key: (n) => `parked-${n}` } },
};

/** Parks jobs behind one that has what they wait for and does not end: its lease outlives whatever is measured. */
export async function park({ path, guard, jobs }: Park, channel: Channel): Promise<ParkAnswer> {
  const waiting = task("waiting", guards[guard], async (n: number) => n);
  const storage = path.startsWith("redis:") ? redisStorage({ url: path }) : sqliteStorage({ path });
  const queue = createQueue({ storage, tasks: { waiting } });
  await channel.ready();
  await queue.enqueueMany(Array.from({ length: jobs + 1 }, (_, n) => waiting.job(n)));
  // Straight at the storage: a consumer would renew the lease, or give the job back.
  const contract = storage as unknown as StorageContract;
  const tasks = ["waiting"];
  for (let request = 1; (await queue.counts()).ready > 0; request += 1) {
    const claim = { begin: 1, ahead: 0, lease: DAY };
    await contract.step({ queue: queue.name, owner: "park", request, tasks, settled: [], begun: [], claim });
  }
  const { parked, active } = await queue.counts();
  await queue.close();
  return { parked, active };
}
