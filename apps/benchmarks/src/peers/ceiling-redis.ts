import { setImmediate } from "node:timers/promises";
import { Redis, type Result } from "ioredis";
import type { Competitor, ConsumeOptions, Payload } from "./competitor.js";
import { Told } from "./told.js";

declare module "ioredis" {
  interface RedisCommander<Context> {
    put(jobs: string, ready: string, last: string, ...bodies: string[]): Result<number, Context>;
    acknowledgeAndClaim(
      jobs: string,
      ready: string,
      leases: string,
      results: string,
      until: number,
      claim: number,
      ...finished: string[]
    ): Result<[ids: string[], bodies: string[]], Context>;
  }
}

const LEASE = 30_000;

/** KEYS: jobs, ready, last. */
const PUT = String.raw`
local last, rows, ready = redis.call("INCRBY", KEYS[3], #ARGV) - #ARGV, {}, {}
for place, body in ipairs(ARGV) do
  local id = string.format("%012d", last + place)
  rows[place * 2 - 1], rows[place * 2] = id, body
  ready[place * 2 - 1], ready[place * 2] = 0, id
end
redis.call("HSET", KEYS[1], unpack(rows))
redis.call("PUBLISH", KEYS[2], "")
return redis.call("ZADD", KEYS[2], unpack(ready))`;

/** KEYS: jobs, ready, leases, results. ARGV: until when the lease runs, how many to claim, then of each that finished id and result. */
const ACKNOWLEDGE_AND_CLAIM = String.raw`
if #ARGV > 2 then
  local done = {}
  for place = 3, #ARGV, 2 do done[#done + 1] = ARGV[place] end
  redis.call("ZREM", KEYS[3], unpack(done))
  redis.call("HDEL", KEYS[1], unpack(done))
  redis.call("HSET", KEYS[4], unpack(ARGV, 3))
end
if ARGV[2] == "0" then return {{}, {}} end
local popped = redis.call("ZPOPMIN", KEYS[2], ARGV[2])
if #popped == 0 then return {{}, {}} end
local ids, leases = {}, {}
for place = 1, #popped, 2 do
  ids[#ids + 1] = popped[place]
  leases[place], leases[place + 1] = ARGV[1], popped[place]
end
redis.call("ZADD", KEYS[3], unpack(leases))
return {ids, redis.call("HMGET", KEYS[1], unpack(ids))}`;

/**
 * The ceiling on Redis, as `ceiling.ts` is that on SQLite: one script acknowledges what finished and claims the next `workers +
 * prefetch` jobs by priority with a lease, the handlers are called, `workers` at a time, and nothing else. One script is under way; where
 * there is nothing to claim, it waits for a message.
 */
export const ceilingRedis: Competitor = {
  async open({ path }) {
    const redis = new Redis(path);
    redis.defineCommand("put", { numberOfKeys: 3, lua: PUT });
    redis.defineCommand("acknowledgeAndClaim", { numberOfKeys: 4, lua: ACKNOWLEDGE_AND_CLAIM });
    const put = (...bodies: string[]): Promise<number> => redis.put("jobs", "ready", "last", ...bodies);
    return {
      enqueue: (payload) => put(JSON.stringify(payload)),
      enqueueMany: (payloads) => put(...payloads.map((each) => JSON.stringify(each))),
      roundTrip: () => Promise.reject(new Error("the ceiling has no waiting")),
      consume: (options) => consume(redis, options),
      unfinished: () => redis.hlen("jobs"),
      async close() {
        redis.disconnect();
      },
    };
  },
};

async function consume(redis: Redis, options: ConsumeOptions): Promise<() => Promise<void>> {
  const messages = redis.duplicate();
  const stopping = new AbortController();
  const told = new Told();
  messages.on("message", told.tell);
  await messages.subscribe("ready");
  const step = (finished: readonly string[], claim: number): Promise<[ids: string[], bodies: string[]]> =>
    redis.acknowledgeAndClaim("jobs", "ready", "leases", "results", Date.now() + LEASE, claim, ...finished);
  const loop = async (): Promise<void> => {
    let finished: string[] = [];
    while (!stopping.signal.aborted) {
      const [ids, bodies] = await step(finished, options.workers + (options.prefetch ?? 0));
      finished = [];
      for (let from = 0; from < ids.length; from += options.workers) {
        const together = ids.slice(from, from + options.workers).map(async (id, place) => {
          const result = await options.run(JSON.parse(bodies[from + place] ?? "") as Payload);
          finished.push(id, JSON.stringify(result));
        });
        await Promise.all(together);
      }
      await (ids.length === 0 ? told.next() : setImmediate());
    }
    await step(finished, 0);
  };
  const ended = loop();
  return () => {
    stopping.abort();
    told.tell();
    messages.disconnect();
    return ended;
  };
}
