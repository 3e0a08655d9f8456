import type { Competitor, CompetitorName } from "./competitor.js";

const competitors: { readonly [Name in CompetitorName]: () => Promise<Competitor> } = {
  taskq: async () => (await import("./taskq.js")).taskq,
  plainjobs: async () => (await import("./plainjobs.js")).plainjobs,
  liteque: async () => (await import("./liteque.js")).liteque,
  ceiling: async () => (await import("./ceiling.js")).ceiling,
};

/** Loads one, so that a process pays for nobody else. */
export function loadCompetitor(name: CompetitorName): Promise<Competitor> {
  return competitors[name]();
}
