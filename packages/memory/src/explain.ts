/** Why jobs stand where they stand. */
import { isFinal, type ExplainCause, type ExplainFact } from "@taskq/core/storage";
import { keyOf } from "./gate.js";
import { firstClosed, nameOf } from "./gates.js";
import { sourcesOf } from "./joins.js";
import { countStarts, instantOfRoom, limitOf } from "./limits.js";
import type { Move } from "./queue-state.js";
import { revocationOf } from "./revocation.js";
import type { JobRow, Row } from "./rows.js";
import { causeOf } from "./sources.js";

/** @param tasks Those that a consumer is known for; `undefined`: it is not known of which. */
export function explain(
  move: Move,
  ids: readonly string[],
  tasks: readonly string[] | undefined,
): readonly ExplainFact[] {
  return ids.map((id) => {
    const row = move.queue.rows.get(id);
    if (row === undefined) return { id, state: "unknown", task: undefined, causes: [] };
    if (row.kind === "job")
      return { id, state: row.state, task: row.job.task, causes: causesOf(move, row, tasks) };
    return {
      id,
      state: row.state,
      task: undefined,
      causes: isFinal(row.state) ? [finalCause(row)] : [blockedCause(row)],
    };
  });
}

/** The weightiest first. */
function causesOf(move: Move, row: JobRow, tasks: readonly string[] | undefined): readonly ExplainCause[] {
  const crashed: ExplainCause[] = row.crashes > 0 ? [{ code: "crashed", crashes: row.crashes }] : [];
  if (isFinal(row.state)) return [finalCause(row), ...crashed];
  if (row.state === "active") return [...runningCauses(row), ...crashed];
  const causes = [
    ...expiredCauses(move, row),
    ...waitingCauses(move, row),
    ...controlCauses(move, row, tasks),
  ];
  // Last: whatever else keeps it weighs more than its turn.
  if (causes.length === 0 || isDue(move, row)) causes.push(waitingCause(move, row));
  return [...causes, ...crashed];
}

/** Whether it waits for its turn, beside whatever else keeps it. */
function isDue({ now }: Move, { state, due }: JobRow): boolean {
  return state !== "blocked" && state !== "parked" && due <= now;
}

function expiredCauses({ now }: Move, { job }: JobRow): readonly ExplainCause[] {
  const at = job.expiresAt;
  return at === undefined || at > now ? [] : [{ code: "expired", at }];
}

function waitingCause({ queue }: Move, row: JobRow): ExplainCause {
  return { code: "waiting", ahead: queue.ready.countBefore(row) };
}

function finalCause(row: Row): ExplainCause {
  const cause = row.kind === "job" ? causeOf(row) : row.broken?.root.id;
  return { code: "final", reason: row.reason, cause };
}

function blockedCause(row: Row): ExplainCause {
  return {
    code: "blocked",
    by: sourcesOf(row)
      .filter(({ state }) => !isFinal(state))
      .map(({ id }) => id),
  };
}

function runningCauses({ run }: JobRow): readonly ExplainCause[] {
  if (run === undefined) return [];
  const { owner, startedAt, claimedAt, leaseUntil } = run;
  return [{ code: "running", owner, since: startedAt ?? claimedAt, leaseUntil }];
}

function waitingCauses(move: Move, row: JobRow): readonly ExplainCause[] {
  const { now } = move;
  if (row.state === "blocked") return [blockedCause(row)];
  if (row.state === "parked") return parkedCauses(move, row, row.gate ?? "");
  if (row.due > now) {
    const notDue: ExplainCause = { code: "not-due", at: row.due };
    return row.failures > 0 ? [{ code: "retrying", failures: row.failures, at: row.due }, notDue] : [notDue];
  }
  const closed = firstClosed(move, row);
  return closed === undefined ? [] : [gateCause(move, row, nameOf(closed))];
}

function parkedCauses(move: Move, row: JobRow, gate: string): readonly ExplainCause[] {
  const { task } = row.job;
  if (gate.startsWith("task:")) return [{ code: "no-consumer", task }];
  // Told by the controls while it lasts; a resumed job is let go by one of the next steps.
  if (gate.startsWith("pause:")) return [];
  return [gateCause(move, row, gate)];
}

const CODES: Readonly<Record<string, "locked" | "limited" | "no-slot">> = {
  concurrency: "no-slot",
  limit: "limited",
};

function gateCause(move: Move, row: JobRow, name: string): ExplainCause {
  const gate = move.queue.gates.get(name);
  const opensAt = name.startsWith("limit:") ? limitOpensAt(move, row, name) : gate?.opensAt;
  return {
    code: CODES[name.slice(0, name.indexOf(":"))] ?? "locked",
    gate: keyOf(name),
    holders: holdersOf(move.queue, row, name),
    ahead: gate?.line.has(row) === true ? gate.line.countBefore(row) : (gate?.line.size ?? 0),
    opensAt: opensAt === Infinity ? undefined : opensAt,
  };
}

/** When the window has room for this job, whoever goes before it. */
function limitOpensAt(move: Move, row: JobRow, name: string): number | undefined {
  const own = row.job.gates?.find((gate) => nameOf(gate) === name);
  if (own === undefined) return undefined;
  const limit = limitOf(own);
  return countStarts(move, limit) < own.max ? undefined : instantOfRoom(move, limit, 0);
}

/** Ids of the jobs, and owners of the tickets. */
function holdersOf(queue: Move["queue"], row: JobRow, name: string): readonly string[] {
  if (name.startsWith("unique:")) {
    const holder = queue.uniques.get(name.slice("unique:".length))?.holder.id;
    return holder === undefined ? [] : [holder];
  }
  if (name.startsWith("schedule:")) {
    return [...queue.awaitedEnds].filter(([, { jobs }]) => jobs.includes(row)).map(([end]) => end);
  }
  const gate = queue.gates.get(name);
  return [...(gate?.jobs ?? [])]
    .map(({ id }) => id)
    .concat([...(gate?.tickets.values() ?? [])].map(({ owner }) => owner));
}

function controlCauses(
  { queue, now }: Move,
  row: JobRow,
  tasks: readonly string[] | undefined,
): readonly ExplainCause[] {
  const { task } = row.job;
  const causes: ExplainCause[] = [];
  if (queue.paused) causes.push({ code: "paused", task: undefined });
  if (queue.pausedTasks.has(task)) causes.push({ code: "paused", task });
  if (revocationOf(queue, task, now) !== undefined) causes.push({ code: "revoked", task });
  const told = row.gate?.startsWith("task:") === true;
  if (tasks?.includes(task) === false && !told) causes.push({ code: "no-consumer", task });
  return causes;
}
