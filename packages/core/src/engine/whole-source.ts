/** Sources with what is to be read by its id: bytes that were left out, and why groups failed. */
import type { JobRecord, JobSource, JoinSource, Source } from "../storage.js";
import type { Engine } from "./engine-types.js";
import { readRecords } from "./read-records.js";

/** Whether nothing of it is to be read. */
export function isWhole(source: Source): boolean {
  if (source.kind === "job") return !source.left;
  return failedBecauseOf(source) === undefined && source.members.every(isWhole);
}

/**
 * The same source with all its bytes. A group fails with the error of the job because of which it failed, which may be
 * none of its members but a stage before one: where it is still kept, it stands in the group's place.
 */
export async function wholeSource(engine: Engine, source: Source): Promise<Source> {
  if (isWhole(source)) return source;
  const jobs = new Map<string, JobRecord>();
  for (const record of await readRecords(engine, idsToRead(source))) {
    if (record?.kind === "job") jobs.set(record.id, record);
  }
  return filled(source, jobs);
}

export function sourceOfJob(record: JobRecord): JobSource {
  const { id, task, fence, state, attempt, bytes, reason, cause } = record;
  return { kind: "job", id, task, fence, state, attempt, bytes, left: false, reason, cause };
}

function failedBecauseOf({ state, cause }: JoinSource): string | undefined {
  return state === "failed" ? cause : undefined;
}

function idsToRead(source: Source): readonly string[] {
  const ids = new Set<string>();
  const collect = (part: Source): void => {
    if (part.kind === "job") {
      if (part.left) ids.add(part.id);
      return;
    }
    const cause = failedBecauseOf(part);
    if (cause === undefined) part.members.forEach(collect);
    else ids.add(cause);
  };
  collect(source);
  return [...ids];
}

function filled(source: Source, jobs: ReadonlyMap<string, JobRecord>): Source {
  if (source.kind === "job") {
    return source.left ? { ...source, bytes: jobs.get(source.id)?.bytes, left: false } : source;
  }
  const cause = failedBecauseOf(source);
  if (cause === undefined) return { ...source, members: source.members.map((part) => filled(part, jobs)) };
  const failed = jobs.get(cause);
  return failed !== undefined && hasFailed(failed) ? sourceOfJob(failed) : source;
}

/** One that is retried by hand meanwhile has not, or no longer. */
function hasFailed({ state }: JobRecord): boolean {
  return state === "failed" || state === "quarantined";
}
