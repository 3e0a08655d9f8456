/** What came before a job in its flow, carried along when it is claimed. */
import { CARRIED_BYTES, type JobSource, type Source } from "@taskq/core/storage";
import { copyIfAny } from "./bytes.js";
import type { Edge, JobRow, JoinRow, Row } from "./rows.js";

/** The sources of a claimed job in the order of its edges, with their bytes unless those are too many in all. */
export function sourcesFor(row: JobRow): readonly Source[] | undefined {
  if (row.edges.length === 0) return undefined;
  const rows = row.edges.map(readFrom).filter(({ removed }) => !removed);
  const carried = rows.reduce((sum, source) => sum + sizeOf(source), 0) <= CARRIED_BYTES;
  return rows.map((source) => sourceOf(source, carried));
}

/** An error handler reads the job that failed, not the end that was skipped because of it. */
function readFrom({ source, on }: Edge): Row {
  const root = on === "failed" ? source.broken?.root : undefined;
  return root === undefined || root.removed ? source : root;
}

function sizeOf(row: Row): number {
  if (row.kind === "job") return row.bytes?.length ?? 0;
  return membersOf(row).reduce((sum, member) => sum + sizeOf(member), 0);
}

function sourceOf(row: Row, carried: boolean): Source {
  if (row.kind === "job") return jobSource(row, carried);
  return {
    kind: "join",
    id: row.id,
    mode: row.mode,
    state: row.state,
    reason: row.reason,
    cause: row.broken?.root.id,
    members: membersOf(row).map((member) => sourceOf(member, carried)),
  };
}

/** A member that is there stands for itself, unless a flow that it added did not complete: then for the job because of which. */
function membersOf(join: JoinRow): readonly Row[] {
  const members = join.members.filter(({ removed }) => !removed);
  if (join.added.size === 0) return members;
  return members.map((member) => {
    if (member.broken !== undefined) return member;
    const ends = join.added.get(member) ?? [];
    return ends.find(({ broken }) => broken !== undefined)?.broken?.root ?? member;
  });
}

function jobSource(row: JobRow, carried: boolean): JobSource {
  return {
    kind: "job",
    id: row.id,
    task: row.job.task,
    fence: row.fence,
    state: row.state,
    attempt: row.attempt,
    bytes: carried ? copyIfAny(row.bytes) : undefined,
    left: !carried && row.bytes !== undefined,
    reason: row.reason,
    cause: causeOf(row),
  };
}

/** The job because of which another one did not complete; `undefined` for the job itself. */
export function causeOf(row: JobRow): string | undefined {
  const root = row.broken?.root;
  return root === row ? undefined : root?.id;
}
