import type { Storage } from "@taskq/core";
import { settingsOf, type RedisOptions } from "./options.js";
import { PartitionedStorage } from "./partitions/partitioned-storage.js";
import { RedisStorage } from "./redis-storage.js";

/**
 * Keeps queues in Redis or Valkey, for any number of processes on any number of machines.
 *
 * Nothing connects before a queue is used. Each call settles within `timeout`, whatever happens to server and network.
 *
 * @throws `TASKQ_OPTION` for options that contradict each other or make no sense
 * @example
 * const queue = createQueue({ storage: redisStorage({ url: "redis://127.0.0.1:6379" }), tasks: { add } });
 */
export function redisStorage(options: RedisOptions): Storage {
  const settings = settingsOf(options);
  const storage = settings.partitions > 1 ? new PartitionedStorage(settings) : new RedisStorage(settings);
  // Opaque to users; what it can do is for core.
  return storage as unknown as Storage;
}
