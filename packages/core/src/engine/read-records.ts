import type { StoredRecord } from "../storage.js";
import type { Engine } from "./engine-types.js";

const IDS_PER_READ = 500;

/** The record of one job or group; `undefined`: it is not kept. @param whole with what only few ask for */
export function readRecord(engine: Engine, id: string, whole: boolean): Promise<StoredRecord | undefined> {
  const { name: queue, storage, together } = engine;
  const now = engine.time.requestNow();
  const ask = (ids: readonly string[]): Promise<readonly (StoredRecord | undefined)[]> =>
    storage.read({ queue, ids, whole, now });
  return together.one(`read ${whole} ${now}`, id, ask);
}

/** The records of these ids, in their order; `undefined` for those that are not kept. */
export async function readRecords(
  engine: Engine,
  ids: readonly string[],
): Promise<readonly (StoredRecord | undefined)[]> {
  const records: (StoredRecord | undefined)[] = [];
  for (let from = 0; from < ids.length; from += IDS_PER_READ) {
    const page = ids.slice(from, from + IDS_PER_READ);
    const now = engine.time.requestNow();
    records.push(...(await engine.storage.read({ queue: engine.name, ids: page, now })));
  }
  return records;
}
