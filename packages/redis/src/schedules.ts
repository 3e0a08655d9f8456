/**
 * Schedules of a queue, and those that this process has declared: if the server loses them, with the queue or as it comes back with
 * an older copy, they are declared again by whoever reads all.
 */
import { TaskqError, type SchedulesAnswer, type SchedulesRequest } from "@taskq/core/storage";
import { always, SCRIPTS } from "./lua/scripts.js";
import type { OpenQueue, Told } from "./open-queue.js";
import { scheduleOf } from "./wire/answers.js";
import { listOf, textsOf } from "./wire/values.js";

type Change = NonNullable<SchedulesRequest["change"]>;
type Lost = NonNullable<SchedulesAnswer["lost"]>;

const declaredOf = new WeakMap<OpenQueue, Map<string, Change>>();

export async function schedules(queue: OpenQueue, request: SchedulesRequest): Promise<SchedulesAnswer> {
  const { change, name } = request;
  const declared = declaredOf.get(queue) ?? new Map<string, Change>();
  declaredOf.set(queue, declared);
  const readsAll = change === undefined && name === undefined;
  let told = await ask(queue, request, readsAll ? [...declared.keys()] : undefined);
  if (change?.kind === "remove") declared.delete(change.name);
  if (change?.kind === "declare" && change.origin === "task") declared.set(change.name, change);
  const missing = textsOf(told.answer["lost"]).flatMap((own) => declared.get(own) ?? []);
  const lost: Lost[number][] = [];
  for (const own of missing) {
    const error = await refusalOf(ask(queue, { ...request, change: own }));
    if (error !== undefined) lost.push({ name: own.name, error });
  }
  if (missing.length > 0) told = await ask(queue, request);
  const records = listOf(told.answer["schedules"], scheduleOf);
  return {
    changed: told.answer["changed"] === true,
    schedules: records.toSorted((left, right) => (left.name < right.name ? -1 : 1)),
    ...(lost.length > 0 && { lost }),
  };
}

/** What cannot be declared keeps nobody from reading the others. */
async function refusalOf(call: Promise<unknown>): Promise<TaskqError | undefined> {
  try {
    await call;
    return undefined;
  } catch (error) {
    if (error instanceof TaskqError) return error;
    throw error;
  }
}

const changing = always(SCRIPTS.schedules);

/** A server whose memory is full takes no new ones. */
function ask(queue: OpenQueue, request: SchedulesRequest, declared?: readonly string[]): Promise<Told> {
  const kind = request.change?.kind;
  const script = kind === "declare" || kind === "upsert" ? SCRIPTS.schedules : changing;
  return queue.ask(script, request, { declared });
}
