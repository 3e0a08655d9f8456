/** Makes the random instants at which reaped jobs return the same on both sides. */
import assert from "node:assert/strict";
import type { StoredState } from "@taskq/core/storage";
import { QUEUE, type World } from "./world.js";

const WAITING = new Set<StoredState>(["blocked", "scheduled", "ready", "parked"]);

export function isWaiting(state: StoredState): boolean {
  return WAITING.has(state);
}

/** Reschedules those that wait to now; one that was skipped meanwhile keeps its instant until it is re-opened. */
export async function settleRandom(world: World): Promise<void> {
  if (world.random.size === 0) return;
  const { now, random } = world;
  const records = await world.storages.reference.read({ queue: QUEUE, ids: [...random], now });
  const ids = records
    .filter((record) => record !== undefined && isWaiting(record.state))
    .map((record) => record?.id ?? "");
  for (const id of ids) random.delete(id);
  if (ids.length === 0) return;
  const change = { kind: "reschedule", due: now } as const;
  const result = await world.both("reschedule", (storage) =>
    storage.amend({ queue: QUEUE, ids, change, now }),
  );
  assert.equal(result.code, undefined, "a reaped job cannot be rescheduled");
}
