/** The schedules of a queue. */
import type { ScheduleRecord, SchedulesAnswer, SchedulesRequest } from "@taskq/core/storage";
import { areEqual, copyOf } from "./bytes.js";
import type { Move, Schedule } from "./queue-state.js";

type Change = NonNullable<SchedulesRequest["change"]>;
type Declaration = Extract<Change, { readonly kind: "declare" | "upsert" }>;

/** Changes one, and answers that; or answers the one that is asked for, or all. */
export function schedules(move: Move, { change, name = change?.name }: SchedulesRequest): SchedulesAnswer {
  const { queue } = move;
  const changed = change !== undefined && apply(move, change);
  if (changed) queue.hints.control();
  const known = name === undefined ? [...queue.schedules.values()] : [queue.schedules.get(name) ?? []].flat();
  const records = known.map(({ record }) => ({ ...record, bytes: copyOf(record.bytes) }));
  return { changed, schedules: records.toSorted((left, right) => (left.name < right.name ? -1 : 1)) };
}

function apply(move: Move, change: Change): boolean {
  const { queue } = move;
  const known = queue.schedules.get(change.name);
  switch (change.kind) {
    case "declare":
    case "upsert":
      return define(move, known, change);
    case "pause":
    case "resume":
      return known !== undefined && setPaused(move, known, change.kind === "pause");
    case "remove":
      return queue.schedules.delete(change.name);
  }
}

/** One that is new, or put in place of another, starts now. */
function define({ queue, now }: Move, known: Schedule | undefined, change: Declaration): boolean {
  const { kind, name, origin, task, bytes } = change;
  const before = known?.record;
  const same = before !== undefined && isSame(before, change);
  const goesOn = before !== undefined && (kind === "declare" || same);
  const record: ScheduleRecord = {
    name,
    origin,
    task,
    bytes: copyOf(bytes),
    paused: goesOn && before.paused,
    lastAt: goesOn ? before.lastAt : now,
    lastId: before?.lastId,
  };
  queue.schedules.set(name, { record });
  return !same;
}

function isSame(before: ScheduleRecord, { origin, task, bytes }: Declaration): boolean {
  return before.origin === origin && before.task === task && areEqual(before.bytes, bytes);
}

/** One that is resumed goes on from now: what passed meanwhile was not missed. */
function setPaused({ now }: Move, schedule: Schedule, paused: boolean): boolean {
  const { record } = schedule;
  if (record.paused === paused) return false;
  schedule.record = { ...record, paused, lastAt: paused ? record.lastAt : Math.max(record.lastAt, now) };
  return true;
}
