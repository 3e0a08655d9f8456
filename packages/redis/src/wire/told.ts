/** Results that travel with the hint that their jobs are final, so that whoever waits need not read them. */
import { types } from "node:util";
import type { CompletedJob, Settlement } from "@taskq/core/storage";
import { pack } from "./pack.js";
import { placeOf } from "./rows.js";
import type { Answer, AnswerRecord } from "./unpack.js";

/** The most jobs, and the most bytes of each, that a hint tells of: it goes to all who wait for anything in the queue. */
const MOST_JOBS = 8;
const MOST_BYTES = 512;

/** Those of the settlements that a hint tells of: jobs that completed, under ids that cannot be guessed. */
export function toldOf(settlements: readonly Settlement[]): CompletedJob[] {
  if (settlements.length > MOST_JOBS) return [];
  const told: CompletedJob[] = [];
  for (const { id, fence, outcome, claimed } of settlements) {
    if (outcome.kind !== "completed" || claimed === undefined || placeOf(id) === undefined) continue;
    const bytes = outcome.result;
    if (bytes === undefined || bytes.length <= MOST_BYTES)
      told.push({ id, task: claimed.task, fence, bytes });
  }
  return told;
}

/**
 * A hint with them.
 *
 * @param database its number, which channels do not have: a copy of a queue in another database may hold the same jobs
 */
export function toldHint(
  settlements: readonly Settlement[],
  completed: readonly CompletedJob[],
  database: number,
): Buffer {
  return pack({ final: settlements.map(({ id }) => id), database, completed });
}

/** What a hint tells. Anybody may publish: what is not as it should be is left out, and is looked at. */
export function completedFrom({ completed, database }: AnswerRecord, own: number): CompletedJob[] {
  if (database !== own || !Array.isArray(completed)) return [];
  return (completed as readonly Answer[]).flatMap((one) => {
    if (typeof one !== "object" || Array.isArray(one) || types.isUint8Array(one)) return [];
    const { id, task, fence, bytes } = one as AnswerRecord;
    if (typeof id !== "string" || placeOf(id) === undefined) return [];
    if (typeof task !== "string" || typeof fence !== "number") return [];
    if (bytes !== undefined && !types.isUint8Array(bytes)) return [];
    return [{ id, task, fence, bytes }];
  });
}
