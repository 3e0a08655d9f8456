/** `@taskq/redis`: a storage for more than one machine; Redis 6.2 or newer, Valkey, Sentinel, Cluster. */
export type { RedisClient, RedisOptions, RedisSource } from "./options.js";
