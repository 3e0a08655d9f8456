/** Jobs and joins as they are told to callers. */
import type { JobDetail, JobRecord, JoinRecord, ReadRequest, StoredRecord } from "@taskq/core/storage";
import { copyIfAny, copyOf } from "./bytes.js";
import { labelOf } from "./gate.js";
import { sourcesOf } from "./joins.js";
import { copyNote } from "./notes.js";
import type { QueueState } from "./queue-state.js";
import type { JobRow, JoinRow } from "./rows.js";
import { causeOf } from "./sources.js";

/** What is known under these ids. */
export function read(queue: QueueState, { ids, whole }: ReadRequest): readonly (StoredRecord | undefined)[] {
  return ids.map((id) => {
    const row = queue.rows.get(id);
    if (row === undefined) return undefined;
    return row.kind === "job" ? jobRecord(row, whole === true) : joinRecord(row);
  });
}

/** A job. */
export function jobRecord(row: JobRow, whole: boolean): JobRecord {
  return {
    kind: "job",
    id: row.id,
    task: row.job.task,
    state: row.state,
    priority: row.priority,
    enqueuedAt: row.enqueuedAt,
    due: row.due,
    expiresAt: row.job.expiresAt,
    attempt: row.attempt,
    failures: row.failures,
    crashes: row.crashes,
    fence: row.fence,
    owner: row.owner,
    startedAt: row.startedAt,
    finishedAt: row.finishedAt,
    bytes: copyIfAny(row.bytes),
    reason: row.reason,
    cause: causeOf(row),
    gate: row.gate === undefined ? undefined : labelOf(row.gate),
    detail: whole ? detailOf(row) : undefined,
  };
}

function detailOf(row: JobRow): JobDetail {
  return {
    body: copyOf(row.job.body),
    attempts: row.attempts.map((attempt) => ({ ...attempt, error: copyIfAny(attempt.error) })),
    progress: row.progress === undefined ? undefined : copyNote(row.progress),
    before: sourcesOf(row).map(({ id }) => id),
    after: [...new Set(row.dependents.map(({ target }) => target.id))],
  };
}

function joinRecord(row: JoinRow): JoinRecord {
  return {
    kind: "join",
    id: row.id,
    mode: row.mode,
    state: row.state,
    members: row.members.map(({ id }) => id),
    reason: row.reason,
    cause: row.broken?.root.id,
    enqueuedAt: row.enqueuedAt,
    finishedAt: row.finishedAt,
  };
}
