/** A server that keeps what it is told, for one suite alone. */
import { Redis } from "ioredis";
import { beforeAll } from "vitest";
import { startRedisServer, type RedisServer } from "../servers/redis-server.js";

export interface OwnServer {
  server: RedisServer;
  redis: Redis;
}

/** For the suite in which it is called: there once its tests begin, and gone after the last one. */
export function ownServer(): Readonly<OwnServer> {
  const own = {} as OwnServer;
  beforeAll(async () => {
    own.server = await startRedisServer({ arguments: ["--appendonly", "yes"] });
    own.redis = new Redis(own.server.url);
    return async () => {
      own.redis.disconnect();
      await own.server.stop();
    };
  });
  return own;
}
