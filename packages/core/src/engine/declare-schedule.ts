import type { PeriodicDefinition } from "../definition.js";
import type { Engine } from "./engine-types.js";
import { encodeRule, ruleOfPeriodic } from "./stored-schedule.js";

/** Makes a periodic task known to the storage: one first seen starts now, one that is there goes on. */
export async function declareSchedule(engine: Engine, definition: PeriodicDefinition): Promise<void> {
  const { name } = definition;
  const bytes = encodeRule(engine, ruleOfPeriodic(definition));
  const change = { kind: "declare", name, origin: "task", task: name, bytes } as const;
  await engine.storage.schedules({ queue: engine.name, change, now: engine.time.requestNow() });
}

/** The periodic tasks of a queue. */
export function periodicTasks(engine: Engine): readonly PeriodicDefinition[] {
  return [...engine.tasks.values()].filter((definition) => definition.kind === "periodic");
}
