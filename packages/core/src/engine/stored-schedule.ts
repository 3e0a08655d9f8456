/** What a storage keeps of a schedule, and back. */
import { compositionOf, type Composition } from "../composition.js";
import type { PeriodicDefinition } from "../definition.js";
import { TaskqError } from "../errors.js";
import { refuseUnknown, shortText } from "../options.js";
import { checkedMisfire, checkedOverlap } from "../periodic.js";
import { scheduleData, scheduleFromData } from "../schedule/schedule-data.js";
import type { Schedule, ScheduleData } from "../schedule/schedule.js";
import type { MessageContext } from "../serializer/serializer.js";
import type { ScheduleRecord } from "../storage.js";
import type { ScheduleEntry } from "../vocabulary/schedules.js";
import type { Misfire, Overlap } from "../vocabulary/task-options.js";
import { compositionData, compositionFrom, type CompositionData } from "./composition-data.js";
import type { Engine } from "./engine-types.js";
import { isRecord } from "./is-record.js";

const LONGEST_NAME = 255;

/** A schedule with all that firing it needs. */
export interface FiringRule {
  readonly name: string;
  readonly schedule: Schedule;
  readonly composition: Composition;
  readonly overlap: Overlap;
  readonly misfire: Misfire;
}

interface StoredSchedule {
  readonly v: 1;
  readonly schedule: ScheduleData;
  readonly job: CompositionData;
  readonly overlap: Overlap;
  readonly misfire: Misfire;
}

export function ruleOfPeriodic(definition: PeriodicDefinition): FiringRule {
  const { name, schedule, overlap, misfire } = definition;
  return {
    name,
    schedule,
    overlap,
    misfire,
    composition: { kind: "run", task: definition, input: undefined },
  };
}

/** @throws `TASKQ_OPTION` */
export function ruleOfEntry(name: string, entry: ScheduleEntry): FiringRule {
  const what = `schedule '${checkedScheduleName(name)}'`;
  refuseUnknown(entry, ["schedule", "job", "overlap", "misfire"], what);
  scheduleData(entry.schedule);
  const { overlap = "skip", misfire = "once" } = entry;
  return {
    name,
    schedule: entry.schedule,
    composition: compositionOf(entry.job, `${what} job`),
    overlap: checkedOverlap(overlap, `${what} overlap`),
    misfire: checkedMisfire(misfire, `${what} misfire`),
  };
}

export function checkedScheduleName(name: string): string {
  return shortText(name, LONGEST_NAME, "schedule name");
}

export function encodeRule(engine: Engine, rule: FiringRule): Uint8Array {
  return engine.serializer.encode(dataOf(rule), contextOf(engine, rule.name));
}

/** Whether it is this rule that is sealed there: the bytes of a seal differ each time. */
export function isSealedRule({ bytes }: ScheduleRecord, engine: Engine, rule: FiringRule): boolean {
  const { seal } = engine.serializer;
  if (seal === undefined) return false;
  const context = contextOf(engine, rule.name);
  try {
    return Buffer.compare(seal.open(bytes, context).content, seal.inner.encode(dataOf(rule), context)) === 0;
  } catch {
    return false;
  }
}

function dataOf({ schedule, composition, overlap, misfire }: FiringRule): StoredSchedule {
  return {
    v: 1,
    schedule: scheduleData(schedule),
    job: compositionData(composition),
    overlap,
    misfire,
  };
}

/** @throws `TASKQ_INPUT` `TASKQ_UNKNOWN_TASK` for one that this queue cannot fire */
export function ruleOfRecord(engine: Engine, record: ScheduleRecord): FiringRule {
  // A periodic task is declared under its own name: another one would run it beside its schedule.
  if (record.origin === "task" && record.name === record.task) return ruleOfDeclared(engine, record.name);
  const stored = engine.serializer.decode(record.bytes, contextOf(engine, record.name));
  if (!isRecord(stored) || stored["v"] !== 1 || !isRecord(stored["schedule"]) || !isRecord(stored["job"])) {
    throw new TaskqError("TASKQ_INPUT", `the stored schedule '${record.name}' cannot be read`);
  }
  const { schedule, job, overlap, misfire } = stored as unknown as StoredSchedule;
  return {
    name: record.name,
    schedule: scheduleFromData(schedule),
    composition: compositionFrom(job, engine.tasks),
    overlap: checkedOverlap(overlap, "stored schedule overlap"),
    misfire: checkedMisfire(misfire, "stored schedule misfire"),
  };
}

/** As this program declares it, whatever another release stored: one that is a plain task by now is fired no more. */
function ruleOfDeclared(engine: Engine, name: string): FiringRule {
  const declared = engine.tasks.get(name);
  if (declared?.kind === "periodic") return ruleOfPeriodic(declared);
  throw new TaskqError(
    "TASKQ_UNKNOWN_TASK",
    `the schedule '${name}' is that of a periodic task, which this queue does not have`,
  );
}

/** Where a schedule belongs. */
export function contextOf(engine: Engine, name: string): MessageContext {
  return { purpose: "schedule", namespace: engine.storage.namespace, queue: engine.name, id: name };
}
