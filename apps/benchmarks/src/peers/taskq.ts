import { sqliteStorage } from "@taskq/sqlite";
import type { Competitor } from "./competitor.js";
import { openTaskq } from "./open-taskq.js";

/** Ours on SQLite. */
export const taskq: Competitor = {
  open(options) {
    const { path, durability } = options;
    return openTaskq(sqliteStorage({ path, durability }), options);
  },
};
