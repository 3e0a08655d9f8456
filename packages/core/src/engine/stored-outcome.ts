/** The outcome of a job or a group by its id. */
import { TaskqError } from "../errors.js";
import type { Source, StoredRecord } from "../storage.js";
import { isFinal } from "../storage.js";
import type { Outcome } from "../vocabulary/introspection.js";
import type { Engine } from "./engine-types.js";
import { readRecord, readRecords } from "./read-records.js";
import { outcomeOf } from "./sources.js";
import { sourceOfJob, wholeSource } from "./whole-source.js";

/** `undefined`: not final, or not there; or a group of which a result is not there any more. */
export async function readOutcome(engine: Engine, id: string): Promise<Outcome | undefined> {
  const record = await readRecord(engine, id, false);
  return record === undefined ? undefined : recordOutcome(engine, record);
}

/** `undefined`: not final, or a group of which a result is not there any more. */
export async function recordOutcome(engine: Engine, record: StoredRecord): Promise<Outcome | undefined> {
  if (!isFinal(record.state)) return undefined;
  const source = await sourceOf(engine, record);
  return source === undefined ? undefined : outcomeOf(engine, await wholeSource(engine, source));
}

/**
 * Whose outcome that of a final record is: its own, or that of the job because of which a group failed.
 *
 * @throws `TASKQ_STORAGE` for a group of which a result is not there any more
 */
export async function finalSource(engine: Engine, record: StoredRecord): Promise<Source> {
  const source = await sourceOf(engine, record);
  if (source !== undefined) return wholeSource(engine, source);
  const message = `of the members of the group ${record.id}, one or more results are no longer kept`;
  throw new TaskqError("TASKQ_STORAGE", message);
}

const NONE: ReadonlySet<string> = new Set();

/**
 * `undefined`: a group that is to yield the value of a member that is not there any more.
 *
 * @param around the groups that it is a part of, by their ids
 */
async function sourceOf(
  engine: Engine,
  record: StoredRecord,
  around: ReadonlySet<string> = NONE,
): Promise<Source | undefined> {
  if (record.kind === "job") return sourceOfJob(record);
  const { id, mode, state, reason, cause } = record;
  if (around.has(id)) {
    throw new TaskqError("TASKQ_STORAGE", `the stored group '${id}' is damaged: it is a part of itself`);
  }
  const members: Source[] = [];
  // What the members of a failed group yielded is of no use: it has the error of one job.
  if (state === "failed") return { kind: "join", id, mode, state, reason, cause, members };
  const within = new Set(around).add(id);
  for (const [index, member] of (await readRecords(engine, record.members)).entries()) {
    const source = member === undefined ? undefined : await sourceOf(engine, member, within);
    if (source === undefined && mode === "all") return undefined;
    members.push(source ?? goneSource(record.members[index] ?? ""));
  }
  return { kind: "join", id, mode, state, reason, cause, members };
}

/** A member that is no longer kept. */
function goneSource(id: string): Source {
  return {
    kind: "job",
    id,
    task: "",
    fence: 0,
    state: "skipped",
    attempt: 0,
    bytes: undefined,
    left: false,
    reason: "no longer kept",
    cause: undefined,
  };
}
