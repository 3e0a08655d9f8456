/** `@taskq/redis`: a storage for more than one machine; Redis 6.2 or newer, Valkey, Sentinel, Cluster. */
export type { RedisClient } from "./connection/client.js";
export type { RedisOptions, RedisSource } from "./options.js";
export { redisStorage } from "./create-storage.js";
