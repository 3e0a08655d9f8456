import { redisStorage } from "@taskq/redis";
import type { Competitor } from "./competitor.js";
import { openTaskq } from "./open-taskq.js";

/** Ours on Redis. */
export const taskqRedis: Competitor = {
  open: (options) => openTaskq(redisStorage({ url: options.path }), options),
};
