/** `queue.flush`: all of a queue, or some of its jobs. */
import { setImmediate as nextTurn } from "node:timers/promises";
import { definitionOf } from "../definition.js";
import { milliseconds } from "../duration.js";
import { TaskqError } from "../errors.js";
import { oneOf, refuseUnknown, shown, unexpected } from "../options.js";
import { isFinal, STORED_STATES, type JobRecord, type ListRequest, type StoredState } from "../storage.js";
import type { FlushOptions } from "../vocabulary/queue.js";
import type { Engine } from "./engine-types.js";
import { reportEffects } from "./report.js";

/** Jobs that a flush of all removes in one step: others wait for each. */
const ALL_AT_ONCE = 1_000;
/** Jobs of one step that are looked for. */
const SOME_AT_ONCE = 200;
/** Jobs that run are to be revoked, and end first. */
const REMOVABLE = STORED_STATES.filter((state) => state !== "active");

/** @throws `TASKQ_CONFIRM` `TASKQ_OPTION` */
export async function flush(engine: Engine, options: FlushOptions): Promise<void> {
  refuseUnknown(options, ["confirm", "state", "task", "olderThan"], "flush");
  refuseUndefined(options);
  const { confirm, state, task, olderThan } = options;
  if (confirm !== engine.name) {
    throw new TaskqError(
      "TASKQ_CONFIRM",
      `flush: expected { confirm: '${engine.name}' }, the name of the queue whose jobs are to go, got ${shown(confirm)}`,
    );
  }
  const states = (state === undefined ? REMOVABLE : [state].flat()).map((one) =>
    oneOf(one, REMOVABLE, "flush state"),
  );
  const name = task === undefined ? undefined : definitionOf(task).name;
  const age = olderThan === undefined ? 0 : milliseconds(olderThan, "flush olderThan");
  await engine.open();
  if (state === undefined && task === undefined && olderThan === undefined) return flushAll(engine);
  await flushSome(engine, { states, task: name }, engine.time.now() - age);
  // What waited for the unique key of one that is gone is ready.
  await engine.runInline?.();
}

/** Without what turned out to be `undefined`, all would go where a few were meant. */
function refuseUndefined(options: FlushOptions): void {
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined && name !== "confirm")
      throw unexpected(`flush ${name}`, "a value, or no such option", value);
  }
}

async function flushAll(engine: Engine): Promise<void> {
  const request = { queue: engine.name, limit: ALL_AT_ONCE, everything: true } as const;
  while ((await engine.storage.purge({ ...request, now: engine.time.requestNow() })).more) {
    // A storage in this process answers at once, and timers and sockets would wait for all of it.
    await nextTurn();
  }
}

interface Filter {
  readonly states: readonly StoredState[];
  readonly task: string | undefined;
}

/** Removes what was enqueued by an instant. A page is read before the one in front of it goes, whose end it begins at. */
async function flushSome(engine: Engine, filter: Filter, until: number): Promise<void> {
  const asked: ListRequest = { queue: engine.name, ...filter, limit: SOME_AT_ONCE };
  const read = async (after: string | undefined) =>
    engine.storage.list({ ...asked, after, now: engine.time.requestNow() });
  let page = await read(undefined);
  for (;;) {
    const { records, after } = page;
    const old = records.filter(({ enqueuedAt }) => enqueuedAt <= until);
    const isLast = after === undefined || (old.length === 0 && records.length > 0);
    if (!isLast) page = await read(after);
    await remove(engine, old);
    if (isLast) return;
    await nextTurn();
  }
}

async function remove(engine: Engine, records: readonly JobRecord[]): Promise<void> {
  if (records.length === 0) return;
  const waiting = records.filter(({ state }) => !isFinal(state)).map(({ id }) => id);
  if (waiting.length > 0) await amend(engine, waiting, { kind: "revoke", scope: "later" });
  await amend(
    engine,
    records.map(({ id }) => id),
    { kind: "remove" },
  );
}

async function amend(
  engine: Engine,
  ids: readonly string[],
  change: Parameters<Engine["storage"]["amend"]>[0]["change"],
): Promise<void> {
  const request = { queue: engine.name, ids, change, now: engine.time.requestNow() };
  reportEffects(engine, (await engine.storage.amend(request)).effects);
}
