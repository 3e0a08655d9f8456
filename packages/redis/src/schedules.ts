/** Schedules of a queue, and those that this process has declared: if the server loses the queue, they are declared again. */
import type { SchedulesAnswer, SchedulesRequest } from "@taskq/core/storage";
import { always, SCRIPTS } from "./lua/scripts.js";
import type { OpenQueue, Told } from "./open-queue.js";
import { scheduleOf } from "./wire/answers.js";
import { listOf, textIfAny } from "./wire/values.js";

interface Declared {
  readonly changes: Map<string, NonNullable<SchedulesRequest["change"]>>;
  /** Tells a queue from one that was made anew in its place. */
  made: string | undefined;
}

const declaredOf = new WeakMap<OpenQueue, Declared>();

export async function schedules(queue: OpenQueue, request: SchedulesRequest): Promise<SchedulesAnswer> {
  const { change } = request;
  const declared = declaredOf.get(queue) ?? { changes: new Map(), made: undefined };
  declaredOf.set(queue, declared);
  let told = await ask(queue, request);
  const changed = told.answer["changed"] === true;
  if (change?.kind === "remove") declared.changes.delete(change.name);
  const made = textIfAny(told.answer["made"]);
  if (made !== undefined && made !== declared.made) {
    for (const own of declared.changes.values()) await ask(queue, { ...request, change: own });
    declared.made = made;
    told = await ask(queue, { ...request, change: undefined, name: change?.name ?? request.name });
  }
  if (change?.kind === "declare" && change.origin === "task") declared.changes.set(change.name, change);
  const records = listOf(told.answer["schedules"], scheduleOf);
  return { changed, schedules: records.toSorted((left, right) => (left.name < right.name ? -1 : 1)) };
}

const changing = always(SCRIPTS.schedules);

/** A server whose memory is full takes no new ones. */
function ask(queue: OpenQueue, request: SchedulesRequest): Promise<Told> {
  const kind = request.change?.kind;
  return queue.ask(kind === "declare" || kind === "upsert" ? SCRIPTS.schedules : changing, request);
}
