import { nanoseconds, pause } from "../clock.js";
import { integerBetween, seededRandom } from "../random.js";
import type { Channel } from "../roles/channel.js";
import { endless, openRevokingQueue } from "./tasks.js";

export interface Revoker {
  readonly path: string;
  readonly jobs: number;
}
export interface RevokerAnswer {
  /** When each job was about to be revoked, by id, in nanoseconds. */
  readonly revokedAt: ReadonlyMap<string, number>;
}

/** Revokes one job after the other while it runs, at any moment of its run. */
export async function revoker({ path, jobs }: Revoker, channel: Channel): Promise<RevokerAnswer> {
  const queue = openRevokingQueue(path);
  await queue.counts();
  await channel.ready();
  const random = seededRandom(jobs);
  const revokedAt = new Map<string, number>();
  for (let n = 0; n < jobs; n += 1) {
    const result = await queue.enqueue(endless.job(n));
    while ((await result.state()) !== "active") await pause(2);
    await pause(integerBetween(random, 1, 80));
    revokedAt.set(result.id, nanoseconds());
    await result.revoke();
    // Its end comes with the runner's next step.
    while ((await result.state()) === "active") await pause(2);
  }
  await queue.close();
  return { revokedAt };
}
