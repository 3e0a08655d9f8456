/** `queue.schedules`. */
import { TaskqError } from "../errors.js";
import { integer } from "../options.js";
import type { ScheduleRecord, SchedulesAnswer, SchedulesRequest } from "../storage.js";
import type { Schedules, ScheduleEntry, ScheduleSnapshot } from "../vocabulary/schedules.js";
import { lastTask } from "./composition-data.js";
import { resultOf, storedJobs, storeFlows } from "./enqueue.js";
import { declareSchedule, periodicTasks } from "./declare-schedule.js";
import type { Engine } from "./engine-types.js";
import { NO_OPTIONS } from "./enqueue-options.js";
import { buildFlow } from "./flow.js";
import { nextInstant } from "./misfire.js";
import {
  checkedScheduleName,
  encodeRule,
  isSealedRule,
  ruleOfEntry,
  ruleOfRecord,
  type FiringRule,
} from "./stored-schedule.js";

export function createSchedules(engine: Engine): Schedules {
  const ask = async (about: Pick<SchedulesRequest, "name" | "change"> = {}): Promise<SchedulesAnswer> => {
    const opening = engine.open();
    if (opening !== undefined) await opening;
    return engine.storage.schedules({ queue: engine.name, ...about, now: engine.time.requestNow() });
  };
  /** A periodic task of this queue is known before any consumer has declared it. */
  const change = async (kind: "pause" | "resume" | "remove", name: string): Promise<boolean> => {
    await declareOwn(checkedScheduleName(name));
    return (await ask({ change: { kind, name } })).changed;
  };
  const declareOwn = async (name: string): Promise<void> => {
    const definition = engine.tasks.get(name);
    if (definition?.kind !== "periodic") return;
    await engine.open();
    await declareSchedule(engine, definition);
  };
  const find = async (name: string): Promise<ScheduleRecord> => {
    await declareOwn(checkedScheduleName(name));
    const [record] = (await ask({ name })).schedules;
    if (record !== undefined) return record;
    const names = (await ask()).schedules.map((one) => `'${one.name}'`).join(", ");
    throw new TaskqError(
      "TASKQ_UNKNOWN_SCHEDULE",
      `there is no schedule '${name}'; ${names === "" ? "there are none" : `there are ${names}`}`,
    );
  };
  /** Where the bytes alone do not tell. */
  const isThere = async (rule: FiringRule): Promise<boolean> => {
    if (engine.serializer.seal === undefined) return false;
    const [record] = (await ask({ name: rule.name })).schedules;
    return record !== undefined && isSealedRule(record, engine, rule);
  };
  return {
    async upsert(name: string, entry: ScheduleEntry) {
      const rule = ruleOfEntry(name, entry);
      if (engine.tasks.get(name)?.kind === "periodic") {
        throw new TaskqError(
          "TASKQ_OPTION",
          `schedule '${name}': a periodic task of this queue has that name`,
        );
      }
      // Refuses now what could not be fired later.
      await buildFlow(engine, rule.composition, NO_OPTIONS, engine.time.now());
      const opening = engine.open();
      if (opening !== undefined) await opening;
      const task = lastTask(rule.composition);
      // The very same again changes nothing: it stays paused, and what it missed is not forgotten.
      const kind = (await isThere(rule)) ? "declare" : "upsert";
      await ask({ change: { kind, name, origin: "stored", task, bytes: encodeRule(engine, rule) } });
    },
    async *list() {
      const { schedules } = await ask();
      for (const record of schedules) yield snapshotOf(engine, record);
      for (const { name, schedule } of periodicTasks(engine)) {
        if (schedules.some((record) => record.name === name)) continue;
        const nextAt = schedule.next(new Date(engine.time.now()));
        yield {
          name,
          task: name,
          expression: schedule.expression,
          timeZone: schedule.timeZone,
          origin: "task",
          paused: false,
          lastAt: undefined,
          nextAt,
        };
      }
    },
    pause: (name) => change("pause", name),
    resume: (name) => change("resume", name),
    remove: (name) => change("remove", name),
    async trigger(name) {
      const rule = ruleOfRecord(engine, await find(name));
      const now = engine.time.now();
      const built = await buildFlow(engine, rule.composition, { ...NO_OPTIONS, instant: now }, now);
      const [stored] = (await storeFlows(engine, [built.flow])) ?? [];
      if (stored === undefined)
        throw new TaskqError("TASKQ_STORAGE", `the job of schedule '${name}' was not stored`);
      await engine.runInline?.(storedJobs([built], [stored]));
      return resultOf(engine, built, stored);
    },
    async preview(name, count = 5) {
      integer(count, "preview count", { min: 1, max: 10_000 });
      const record = await find(name);
      const { schedule } = ruleOfRecord(engine, record);
      const instants: Date[] = [];
      // No instant comes twice: of a clock that was set back, those that it has passed before are none of the next.
      let at: number | undefined = Math.max(record.lastAt, engine.time.now());
      while (instants.length < count && (at = nextInstant(schedule, at)) !== undefined)
        instants.push(new Date(at));
      return instants;
    },
  };
}

function snapshotOf(engine: Engine, record: ScheduleRecord): ScheduleSnapshot {
  const { name, task, origin, paused, lastAt, lastId } = record;
  const told = { name, task, origin, paused };
  try {
    const { schedule } = ruleOfRecord(engine, record);
    const next = nextInstant(schedule, Math.max(lastAt, engine.time.now()));
    return {
      ...told,
      expression: schedule.expression,
      timeZone: schedule.timeZone,
      // One that is new or was resumed goes on from a moment that is none of its instants.
      lastAt:
        lastId !== undefined && nextInstant(schedule, lastAt - 1) === lastAt ? new Date(lastAt) : undefined,
      nextAt: paused || next === undefined ? undefined : new Date(next),
    };
  } catch {
    // One that this program cannot fire is listed all the same.
    const last = lastId === undefined ? undefined : new Date(lastAt);
    return { ...told, expression: "?", timeZone: undefined, lastAt: last, nextAt: undefined };
  }
}
