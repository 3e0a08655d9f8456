/** What concerns all partitions of a queue: controls, counts, leases, statistics, purging. */
import {
  GatheredStats,
  STORED_STATES,
  type ControlAnswer,
  type ControlRequest,
  type JobEffect,
  type PurgeRequest,
  type ReapAnswer,
  type ReapedRun,
  type ReapRequest,
  type RenewAnswer,
  type RenewRequest,
  type RunReference,
  type StatsAnswer,
  type StatsRequest,
  type StoredCounts,
} from "@taskq/core/storage";
import type { DividedQueue } from "./divided-queue.js";
import { runAt } from "./enqueue.js";
import { HOME } from "./place.js";
import { ages, trim } from "./scripts.js";

/** Pauses and revokes hold in each partition; that a task is revoked once is kept at home, since it is used up once. */
export async function control(queue: DividedQueue, request: ControlRequest): Promise<ControlAnswer> {
  const { change } = request;
  const runHere = async (partition: number): Promise<ControlRequest["run"]> =>
    request.run === undefined ? undefined : runAt(queue, partition, request.run, request.now);
  const answer = await queue.home.control({ ...request, run: await runHere(HOME) });
  if (change.kind === "inspect") return answer;
  const once = change.kind === "revoke" && change.once;
  const own = once ? ({ kind: "restore" } as const) : change;
  const others = await queue.others(async (part, number) =>
    part.control({ ...request, change: own, run: await runHere(number) }),
  );
  const changed = answer.changed || (!once && others.some((one) => one.changed));
  return { ...answer, changed };
}

export async function counts(
  queue: DividedQueue,
  request: { readonly queue: string; readonly by?: "task" | undefined; readonly now?: number | undefined },
): Promise<Readonly<Record<string, StoredCounts>>> {
  // A map: a task may be called `constructor`.
  const sums = new Map<string, Record<keyof StoredCounts, number>>();
  for (const part of await queue.each((one) => one.counts(request))) {
    for (const [name, own] of Object.entries(part)) {
      const sum = sums.get(name);
      if (sum === undefined) sums.set(name, { ...own });
      else for (const state of STORED_STATES) sum[state] += own[state];
    }
  }
  return Object.fromEntries(sums);
}

export async function renew(queue: DividedQueue, request: RenewRequest): Promise<RenewAnswer> {
  const revoked = new Map<string, RunReference>();
  const ends: number[] = [];
  const ask = async (part: number, runs: readonly RunReference[]): Promise<readonly RunReference[]> => {
    const answer = await queue.part(part).renew({ ...request, runs });
    for (const run of answer.revoked) revoked.set(`${run.id} ${run.fence}`, run);
    ends.push(answer.leaseUntil);
    return answer.lost;
  };
  const groups = new Map<number, RunReference[]>();
  for (const run of request.runs) {
    const group = groups.get(queue.guess(run.id));
    if (group === undefined) groups.set(queue.guess(run.id), [run]);
    else group.push(run);
  }
  if (groups.size === 0) groups.set(HOME, []);
  const missed = (await Promise.all([...groups].map(([part, runs]) => ask(part, runs)))).flat();
  const lost = await lostOf(queue, request, missed, ask);
  return { leaseUntil: Math.min(...ends), lost, revoked: [...revoked.values()] };
}

/** Some may be where their ids do not say. */
async function lostOf(
  queue: DividedQueue,
  request: RenewRequest,
  missed: readonly RunReference[],
  ask: (part: number, runs: readonly RunReference[]) => Promise<readonly RunReference[]>,
): Promise<readonly RunReference[]> {
  if (missed.length === 0) return missed;
  const found = await queue.find(
    missed.map(({ id }) => id),
    { now: request.now },
  );
  const lost = new Set<RunReference>(missed);
  for (const [place, run] of missed.entries()) {
    const partition = found[place]?.partition;
    if (partition === undefined || partition === queue.guess(run.id)) continue;
    if ((await ask(partition, [run])).length === 0) lost.delete(run);
  }
  for (const run of lost) queue.forget(run);
  const ids = new Set([...lost].map(({ id, fence }) => `${id} ${fence}`));
  return request.runs.filter(({ id, fence }) => ids.has(`${id} ${fence}`));
}

export async function reap(queue: DividedQueue, request: ReapRequest): Promise<ReapAnswer> {
  const reaped: ReapedRun[] = [];
  const effects: JobEffect[] = [];
  const nextAt: (number | undefined)[] = queue.parts.map(() => undefined);
  let asked: readonly number[] = queue.numbers;
  while (asked.length > 0 && reaped.length < request.limit) {
    // Each its share, and those that have more are asked again.
    const share = Math.max(1, Math.floor((request.limit - reaped.length) / asked.length));
    const now = asked.slice(0, request.limit - reaped.length);
    const full = await Promise.all(
      now.map(async (number) => {
        const answer = await queue.part(number).reap({ ...request, limit: share });
        reaped.push(...answer.reaped);
        effects.push(...answer.effects);
        nextAt[number] = answer.nextAt;
        return answer.reaped.length === share ? number : undefined;
      }),
    );
    asked = [...asked.slice(now.length), ...full.filter((number) => number !== undefined)];
  }
  return { reaped, effects, nextAt: least(nextAt) };
}

function least(instants: readonly (number | undefined)[]): number | undefined {
  const known = instants.filter((instant) => instant !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}

export async function stats(queue: DividedQueue, request: StatsRequest): Promise<StatsAnswer> {
  const answers = await queue.each((part) => part.stats(request));
  const all = new GatheredStats();
  const rows = answers.flatMap((answer) => answer.rows);
  for (const row of rows.toSorted((left, right) => left.minute - right.minute)) all.add(row);
  const oldestDue = least(answers.map((answer) => answer.oldestDue));
  const told = { oldestDue, rows: all.rows(0) };
  if (request.byTask !== true) return told;
  // A map: a task may be called `constructor`.
  const byTask = new Map<string, number>();
  for (const answer of answers) {
    for (const [task, due] of Object.entries(answer.oldestDueByTask ?? {})) {
      byTask.set(task, Math.min(byTask.get(task) ?? due, due));
    }
  }
  return { ...told, oldestDueByTask: Object.fromEntries(byTask) };
}

export async function purge(
  queue: DividedQueue,
  request: PurgeRequest,
): Promise<{ readonly removed: number; readonly more: boolean }> {
  let removed = 0;
  let more = false;
  for (const part of queue.parts) {
    if (removed >= request.limit) return { removed, more: true };
    const answer = await part.purge({ ...request, limit: request.limit - removed });
    removed += answer.removed;
    more ||= answer.more;
  }
  if (request.everything === true || more) return { removed, more };
  const trimmed = await trimAll(queue, request.now, request.limit - removed);
  removed += trimmed.removed;
  return {
    removed,
    more: trimmed.asked > trimmed.removed || (trimmed.removed > 0 && removed >= request.limit),
  };
}

interface Ages {
  readonly completed: number;
  readonly others: number;
  /** For how long and how many, of completed ones and of the others. */
  readonly retention: readonly [number, number, number, number];
  readonly completedEnds: readonly number[];
  readonly otherEnds: readonly number[];
}

interface Trimmed {
  readonly removed: number;
  /** More: some of those were put aside, since something unfinished needs them, and others are to go in their place. */
  readonly asked: number;
}

/** Removes the oldest of all where the partitions keep more than the queue does together, each of them less. */
export async function trimAll(queue: DividedQueue, now: number | undefined, limit: number): Promise<Trimmed> {
  if (limit <= 0) return { removed: 0, asked: 0 };
  const about = { queue: queue.name, now };
  const parts = await Promise.all(
    queue.queues.map(async (part) => (await part.ask(ages, about, { limit })).answer as unknown as Ages),
  );
  const [home] = parts;
  if (home === undefined) return { removed: 0, asked: 0 };
  const completed = oldest(parts, "completed", "completedEnds", Math.max(0, home.retention[1]), limit);
  const others = oldest(parts, "others", "otherEnds", Math.max(0, home.retention[3]), limit);
  let removed = 0;
  let asked = 0;
  for (const number of queue.numbers) {
    const own = { completed: completed[number] ?? 0, others: others[number] ?? 0 };
    if (own.completed + own.others === 0 || removed >= limit) continue;
    const more = { ...own, limit: limit - removed };
    asked += Math.min(own.completed + own.others, limit - removed);
    removed += (await queue.queue(number).ask(trim, about, more)).answer["removed"] as number;
  }
  return { removed, asked };
}

/** How many of each partition are among the oldest that are over the number kept. */
function oldest(
  parts: readonly Ages[],
  count: "completed" | "others",
  ends: "completedEnds" | "otherEnds",
  max: number,
  limit: number,
): readonly number[] {
  const over = parts.reduce((sum, part) => sum + part[count], 0) - max;
  const all = parts.flatMap((part, number) => listed(part[ends]).map((end) => ({ end, number })));
  const taken = parts.map(() => 0);
  const first = all.toSorted((left, right) => left.end - right.end);
  for (const { number } of first.slice(0, Math.max(0, Math.min(over, limit)))) {
    taken[number] = (taken[number] ?? 0) + 1;
  }
  return taken;
}

/** An empty table of Lua is an empty record. */
function listed(ends: unknown): readonly number[] {
  return Array.isArray(ends) ? (ends as number[]) : [];
}
