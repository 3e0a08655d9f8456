/** Statistics of all processes, and what this one still has to write. */
import {
  STATS_KEPT,
  STATS_MINUTE,
  systemClock,
  type StatsAnswer,
  type StatsRequest,
  type StatsRow,
} from "@taskq/core/storage";
import { SCRIPTS } from "./lua/scripts.js";
import type { OpenQueue } from "./open-queue.js";
import { addedUp } from "./pending-stats.js";
import { numberIfAny } from "./wire/values.js";

export async function stats(queue: OpenQueue, { since, now }: StatsRequest): Promise<StatsAnswer> {
  await writeStats(queue);
  return read(queue, since, now);
}

/** All that is kept, of all processes that have written it. */
export async function statsOf(queue: OpenQueue, now: number | undefined): Promise<readonly StatsRow[]> {
  return (await read(queue, 0, now)).rows;
}

async function read(queue: OpenQueue, since: number, now: number | undefined): Promise<StatsAnswer> {
  const oldest = Math.max(since, (now ?? systemClock.now()) - STATS_KEPT);
  const from = oldest - STATS_MINUTE;
  const { answer } = await queue.ask(SCRIPTS.stats, { queue: queue.name, now }, { from });
  const fields = Array.isArray(answer["rows"]) ? (answer["rows"] as Uint8Array[]) : [];
  return { oldestDue: numberIfAny(answer["oldestDue"]), rows: addedUp(fields, oldest) };
}

/** What this process has gathered and not written yet. */
export async function writeStats(queue: OpenQueue): Promise<void> {
  const put = queue.stats.takeAll();
  if (put === undefined) return;
  try {
    await queue.ask(SCRIPTS.stats, { queue: queue.name, now: queue.stats.lastAt }, { put });
  } catch (error) {
    queue.stats.notWritten(put);
    throw error;
  }
}
