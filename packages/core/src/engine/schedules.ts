/** `queue.schedules`. */
import { TaskqError } from "../errors.js";
import { integer } from "../options.js";
import type { ScheduleRecord, SchedulesAnswer, SchedulesRequest } from "../storage.js";
import type { Schedules, ScheduleEntry, ScheduleSnapshot } from "../vocabulary/schedules.js";
import { lastTask } from "./composition-data.js";
import { resultOf, storeFlows } from "./enqueue.js";
import type { Engine } from "./engine-types.js";
import { NO_OPTIONS } from "./enqueue-options.js";
import { buildFlow } from "./flow.js";
import { nextInstant } from "./misfire.js";
import { checkedScheduleName, encodeRule, ruleOfEntry, ruleOfRecord } from "./stored-schedule.js";

export function createSchedules(engine: Engine): Schedules {
  const ask = async (change?: SchedulesRequest["change"]): Promise<SchedulesAnswer> => {
    const opening = engine.open();
    if (opening !== undefined) await opening;
    return engine.storage.schedules({ queue: engine.name, change, now: engine.time.requestNow() });
  };
  const find = async (name: string): Promise<ScheduleRecord> => {
    const { schedules } = await ask();
    const record = schedules.find((one) => one.name === checkedScheduleName(name));
    if (record !== undefined) return record;
    const names = schedules.map((one) => `'${one.name}'`).join(", ");
    throw new TaskqError(
      "TASKQ_UNKNOWN_SCHEDULE",
      `there is no schedule '${name}'; ${names === "" ? "there are none" : `there are ${names}`}`,
    );
  };
  return {
    async upsert(name: string, entry: ScheduleEntry) {
      const rule = ruleOfEntry(name, entry);
      // Refuses now what could not be fired later.
      await buildFlow(engine, rule.composition, NO_OPTIONS, engine.time.now());
      const opening = engine.open();
      if (opening !== undefined) await opening;
      const task = lastTask(rule.composition);
      await ask({ kind: "upsert", name, origin: "stored", task, bytes: encodeRule(engine, rule) });
    },
    async *list() {
      const { schedules } = await ask();
      for (const record of schedules) yield snapshotOf(engine, record);
    },
    pause: async (name) => (await ask({ kind: "pause", name: checkedScheduleName(name) })).changed,
    resume: async (name) => (await ask({ kind: "resume", name: checkedScheduleName(name) })).changed,
    remove: async (name) => (await ask({ kind: "remove", name: checkedScheduleName(name) })).changed,
    async trigger(name) {
      const rule = ruleOfRecord(engine, await find(name));
      const now = engine.time.now();
      const built = await buildFlow(engine, rule.composition, { ...NO_OPTIONS, instant: now }, now);
      const [stored] = (await storeFlows(engine, [built.flow])) ?? [];
      if (stored === undefined)
        throw new TaskqError("TASKQ_STORAGE", `the job of schedule '${name}' was not stored`);
      if (engine.runInline !== undefined) await engine.runInline();
      return resultOf(engine, built, stored);
    },
    async preview(name, count = 5) {
      integer(count, "preview count", { min: 1, max: 10_000 });
      const { schedule } = ruleOfRecord(engine, await find(name));
      const instants: Date[] = [];
      let at: number | undefined = engine.time.now();
      while (instants.length < count && (at = nextInstant(schedule, at)) !== undefined)
        instants.push(new Date(at));
      return instants;
    },
  };
}

function snapshotOf(engine: Engine, record: ScheduleRecord): ScheduleSnapshot {
  const { name, task, origin, paused, lastAt } = record;
  const told = { name, task, origin, paused, lastAt: new Date(lastAt) };
  try {
    const { schedule } = ruleOfRecord(engine, record);
    const next = nextInstant(schedule, Math.max(lastAt, engine.time.now()));
    return {
      ...told,
      expression: schedule.expression,
      nextAt: paused || next === undefined ? undefined : new Date(next),
    };
  } catch {
    // One that this program cannot fire is listed all the same.
    return { ...told, expression: "?", nextAt: undefined };
  }
}
