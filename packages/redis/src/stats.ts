/** Statistics of all processes, and what this one still has to write. */
import {
  STATS_KEPT,
  STATS_MINUTE,
  type StatsAnswer,
  type StatsRequest,
  type StatsRow,
} from "@taskq/core/storage";
import { SCRIPTS } from "./lua/scripts.js";
import type { OpenQueue, Told } from "./open-queue.js";
import { addedUp } from "./pending-stats.js";
import { numberIfAny, textIfAny } from "./wire/values.js";

export async function stats(queue: OpenQueue, { since, byTask, now }: StatsRequest): Promise<StatsAnswer> {
  await writeStats(queue);
  const answer = await read(queue, since, now);
  if (byTask !== true) return answer;
  return { ...answer, oldestDueByTask: await oldestByTask(queue, now) };
}

/** The ready ones, those in blocks, the scheduled and the parked ones, in the order of the script. */
const SCANNED = [1, 2, 3, 4] as const;

/** Looks at all that wait, a part with each script. */
async function oldestByTask(
  queue: OpenQueue,
  now: number | undefined,
): Promise<Readonly<Record<string, number>>> {
  // A map: a task may be called `constructor`.
  const oldest = new Map<string, number>();
  for (const scan of SCANNED) {
    for (let offset: number | undefined = 0; offset !== undefined;) {
      const { answer } = await queue.ask(SCRIPTS.stats, { queue: queue.name, now }, { scan, offset });
      for (const [task, due] of Object.entries((answer["oldest"] ?? {}) as Record<string, number>)) {
        oldest.set(task, Math.min(oldest.get(task) ?? due, due));
      }
      offset = numberIfAny(answer["offset"]);
    }
  }
  return Object.fromEntries(oldest);
}

/** All that is kept, of all processes that have written it. */
export async function statsOf(queue: OpenQueue, now: number | undefined): Promise<readonly StatsRow[]> {
  return (await read(queue, 0, now)).rows;
}

async function read(queue: OpenQueue, since: number, now: number | undefined): Promise<StatsAnswer> {
  const oldest = Math.max(since, (now ?? queue.now()) - STATS_KEPT);
  const fields: Uint8Array[] = [];
  let oldestDue: number | undefined;
  for (let from: number | string | undefined = oldest - STATS_MINUTE; from !== undefined;) {
    const goesOn = typeof from === "string";
    const { answer }: Told = await queue.ask(SCRIPTS.stats, { queue: queue.name, now }, { from, goesOn });
    if (!goesOn) oldestDue = numberIfAny(answer["oldestDue"]);
    if (Array.isArray(answer["rows"])) for (const row of answer["rows"]) fields.push(row as Uint8Array);
    from = textIfAny(answer["following"]);
  }
  return { oldestDue, rows: addedUp(fields, oldest) };
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
