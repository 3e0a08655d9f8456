import type { Competitor, CompetitorName, OnRedis } from "./competitor.js";

const competitors: { readonly [Name in CompetitorName]: () => Promise<Competitor> } = {
  taskq: async () => (await import("./taskq.js")).taskq,
  plainjobs: async () => (await import("./plainjobs.js")).plainjobs,
  liteque: async () => (await import("./liteque.js")).liteque,
  ceiling: async () => (await import("./ceiling.js")).ceiling,
  "taskq-redis": async () => (await import("./taskq-redis.js")).taskqRedis,
  bullmq: async () => (await import("./bullmq.js")).bullmq,
  "bee-queue": async () => (await import("./bee-queue.js")).beeQueue,
  groupmq: async () => (await import("./groupmq.js")).groupmq,
  "ceiling-redis": async () => (await import("./ceiling-redis.js")).ceilingRedis,
};

/** Loads one, so that a process pays for nobody else. */
export function loadCompetitor(name: CompetitorName): Promise<Competitor> {
  return competitors[name]();
}

const onRedis = ["taskq-redis", "bullmq", "bee-queue", "groupmq", "ceiling-redis"] satisfies OnRedis[];

/** Whether one keeps its jobs in Redis; else in a file. */
export function isOnRedis(name: CompetitorName): name is OnRedis {
  return (onRedis as readonly CompetitorName[]).includes(name);
}
