/** The outcome of a job or a group by its id. */
import type { JobRecord, Source, StoredRecord } from "../storage.js";
import { isFinal } from "../storage.js";
import type { Outcome } from "../vocabulary/introspection.js";
import type { Engine } from "./engine-types.js";
import { outcomeOf } from "./sources.js";

const IDS_PER_READ = 500;

/** `undefined`: not final, or not there. */
export async function readOutcome(engine: Engine, id: string): Promise<Outcome | undefined> {
  const [record] = await readRecords(engine, [id]);
  return record === undefined ? undefined : recordOutcome(engine, record);
}

/** `undefined`: not final. */
export async function recordOutcome(engine: Engine, record: StoredRecord): Promise<Outcome | undefined> {
  if (!isFinal(record.state)) return undefined;
  if (record.kind === "job") return outcomeOf(engine, jobSource(record));
  if (record.state === "failed" && record.cause !== undefined) {
    const [cause] = await readRecords(engine, [record.cause]);
    // A group fails with the error of the member because of which it failed.
    if (cause?.kind === "job" && isFinal(cause.state)) return outcomeOf(engine, jobSource(cause));
  }
  return outcomeOf(engine, await sourceOf(engine, record));
}

export function readRecords(
  engine: Engine,
  ids: readonly string[],
): Promise<readonly (StoredRecord | undefined)[]> {
  return engine.storage.read({ queue: engine.name, ids, now: engine.time.requestNow() });
}

async function sourceOf(engine: Engine, record: StoredRecord): Promise<Source> {
  if (record.kind === "job") return jobSource(record);
  const members: Source[] = [];
  for (let from = 0; from < record.members.length; from += IDS_PER_READ) {
    const page = record.members.slice(from, from + IDS_PER_READ);
    const records = await readRecords(engine, page);
    for (const [index, member] of records.entries()) {
      members.push(member === undefined ? goneSource(page[index] ?? "") : await sourceOf(engine, member));
    }
  }
  const { id, mode, state, reason, cause } = record;
  return { kind: "join", id, mode, state, reason, cause, members };
}

function jobSource(record: JobRecord): Source {
  const { id, task, fence, state, attempt, bytes, reason, cause } = record;
  return { kind: "job", id, task, fence, state, attempt, bytes, left: false, reason, cause };
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
