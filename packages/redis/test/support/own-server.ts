/** A server that keeps what it is told, for one suite alone. */
import { Redis } from "ioredis";
import { startRedisServer, type RedisServer } from "../servers/redis-server.js";

export interface OwnServer {
  readonly server: RedisServer;
  readonly redis: Redis;
  readonly stop: () => Promise<void>;
}

export async function startOwnServer(): Promise<OwnServer> {
  const server = await startRedisServer({ arguments: ["--appendonly", "yes"] });
  const redis = new Redis(server.url);
  const stop = async (): Promise<void> => {
    redis.disconnect();
    await server.stop();
  };
  return { server, redis, stop };
}
