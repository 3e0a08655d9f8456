import type { StoredRecord } from "../storage.js";
import type { Engine } from "./engine-types.js";

const IDS_PER_READ = 500;

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
