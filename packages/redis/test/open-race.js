/** Opens the store of a race in each of its processes, which run what is published. */
import { redisStorage } from "@taskq/redis";

export async function open() {
  return redisStorage({ url: process.env.TASKQ_RACE_URL, keyPrefix: process.env.TASKQ_RACE_PREFIX });
}
