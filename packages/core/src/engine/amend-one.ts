import type { AmendRequest } from "../storage.js";
import type { Engine } from "./engine-types.js";
import { reportEffects } from "./report.js";

/** Whether something was done to this job, or to any of its flow. */
export function amendOne(engine: Engine, id: string, change: AmendRequest["change"]): Promise<boolean> {
  const { name: queue, storage, together } = engine;
  const now = engine.time.requestNow();
  const ask = async (ids: readonly string[]): Promise<readonly boolean[]> => {
    const { changed, effects } = await storage.amend({ queue, ids, change, now });
    reportEffects(engine, effects);
    return ids.map((one) => changed.includes(one));
  };
  // One flow that is restored is one call of any size: of several it would hold up all others.
  const which = change.kind === "restore" ? id : "";
  return together.one(`${JSON.stringify(change)} ${now} ${which}`, id, ask);
}
