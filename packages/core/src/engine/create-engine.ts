import type { Clock } from "../clock.js";
import { definitionOf, isTask, type Definition } from "../definition.js";
import { milliseconds } from "../duration.js";
import { TaskqError } from "../errors.js";
import { ignoreRejection } from "../ignore-rejection.js";
import { createIdMaker } from "../id.js";
import { isPromise } from "../is-promise.js";
import { checkedKeep } from "../keep.js";
import {
  callable,
  flag,
  isNameless,
  refuseUnknown,
  shown,
  unexpected,
  unexpectedSecret,
} from "../options.js";
import { jsonSerializer } from "../serializer/json-serializer.js";
import { isSerializer } from "../serializer/serializer.js";
import type { OpenRequest, StorageContract, StoredRetention } from "../storage.js";
import { checkedOptions, taskOptionNames } from "../task-options.js";
import { virtualClock } from "../testing/virtual-clock.js";
import type { Queue, QueueOptions } from "../vocabulary/queue.js";
import type { AnyTask } from "../vocabulary/task-and-job.js";
import type { Engine } from "./engine-types.js";
import { createEngineTime } from "./engine-time.js";
import { EventHub } from "./event-hub.js";
import { guardedLogger } from "./guarded-logger.js";
import { guardedSerializer } from "./guarded-serializer.js";
import { inlineRunnerOf } from "./inline.js";
import { policyOf } from "./policy.js";
import { runOn } from "./run-scope.js";
import { ConsumerLog } from "./consumer-log.js";
import { UnknownTasks } from "./unknown-tasks.js";
import { ServingConsumers } from "./serving-consumers.js";
import { acquireStorage, releaseStorage } from "./storage-users.js";
import { Together } from "./together.js";
import { Waiter } from "./waiter.js";

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const HOUR = 3_600_000;
const DEFAULT_RETENTION: StoredRetention = {
  completed: { for: HOUR, max: 1_000_000 },
  failed: { for: 7 * 24 * HOUR, max: 1_000_000 },
};
const OPTION_NAMES = [
  "storage",
  "tasks",
  "name",
  "serializer",
  "immediate",
  "clock",
  "logger",
  "keep",
  "serializeError",
  "redact",
  "stacks",
  "defaults",
  "unknownAfter",
];
const DEFAULT_NAMES = taskOptionNames.filter(
  (name) => !["unique", "lock", "limit", "concurrency", "version"].includes(name),
);

type Options = QueueOptions & { readonly tasks: object };

/** What a queue is made of, and how it ends. */
export interface MadeEngine {
  readonly engine: Engine;
  /** The tasks as their users know them, by name. */
  readonly tasks: ReadonlyMap<string, AnyTask>;
  readonly close: () => Promise<void>;
}

/** @throws `TASKQ_OPTION` `TASKQ_DUPLICATE_TASK` */
export function createEngine(options: Options, queue: () => Queue): MadeEngine {
  if (isStorage(options))
    throw new TaskqError("TASKQ_OPTION", "createQueue: expected { storage, tasks }, got a storage by itself");
  refuseUnknown(options, OPTION_NAMES, "createQueue");
  const { name = "default", immediate = false, stacks = true } = options;
  checkedName(name);
  const storage = checkedStorage(options.storage);
  flag(immediate, "createQueue immediate");
  const openRequest = {
    queue: name,
    retention: retentionOf(options),
    unknownAfter: unknownAfterOf(options),
  };
  const tasks = collectTasks(options.tasks);
  const definitions = new Map([...tasks].map(([key, task]) => [key, definitionOf(task)]));
  const logger = guardedLogger(options.logger, name);
  const time = createEngineTime(checkedClock(options.clock, immediate), storage.clock);
  const waiter = new Waiter(storage, name, () => time.requestNow());
  const life = createLife(storage, openRequest, time);
  const engine: Engine = {
    name,
    get queue() {
      return queue();
    },
    storage,
    serializer: checkedSerializer(options.serializer),
    tasks: definitions,
    policies: policiesOf(definitions, options),
    taskNames: Object.freeze([...definitions.keys()]),
    logger,
    events: new EventHub(logger),
    unknownTasks: new UnknownTasks(logger),
    consumerLog: new ConsumerLog(logger),
    feeds: new Set(),
    consumers: new ServingConsumers(name),
    middleware: [],
    openRequest,
    serializeError:
      options.serializeError === undefined
        ? undefined
        : callable(options.serializeError, "createQueue serializeError"),
    stacks: flag(stacks, "createQueue stacks"),
    redact: options.redact === undefined ? undefined : callable(options.redact, "createQueue redact"),
    runInline: immediate ? (jobs) => runUnlessMoved(engine, jobs) : undefined,
    makeId: createIdMaker(),
    waiter,
    together: new Together(storage.travels === true),
    time,
    open: life.open,
    assertOpen: life.assertOpen,
  };
  // Behind all that may be refused: what is no queue closes no storage.
  acquireStorage(storage);
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => {
    endWaiting(engine);
    closing ??= closeUnserved(engine, life);
    if (engine.consumers.size === 0 || runOn(engine) === undefined) return closing;
    // A handler would wait for its own end.
    ignoreRejection(closing);
    return Promise.resolve();
  };
  return { engine, tasks, close };
}

function endWaiting({ waiter, feeds }: Engine): void {
  waiter.close();
  for (const end of feeds) end();
}

/** What runs is to be settled before the storage closes: else it would run again. */
async function closeUnserved(engine: Engine, life: Life): Promise<void> {
  await engine.consumers.close();
  endWaiting(engine);
  await life.close();
}

/** What is stored in a queue that has begun to move goes along, and runs there. */
async function runUnlessMoved(engine: Engine, jobs: Iterable<string> = []): Promise<void> {
  try {
    await inlineRunnerOf(engine).runUntilEnded(jobs);
  } catch (error) {
    if (!(error instanceof TaskqError) || error.code !== "TASKQ_MOVED") throw error;
  }
}

interface Life {
  readonly open: () => Promise<void> | undefined;
  readonly assertOpen: () => void;
  readonly close: () => Promise<void>;
}

/** Opens at the first use, and again after an opening that failed. */
function createLife(
  storage: StorageContract,
  request: OpenRequest,
  time: { requestNow(): number | undefined },
): Life {
  const { queue } = request;
  let state: "new" | "open" | "closed" = "new";
  let opening: Promise<void> | undefined;
  const assertOpen = (): void => {
    if (state === "closed") throw new TaskqError("TASKQ_CLOSED", `the queue '${queue}' is closed`);
  };
  return {
    assertOpen,
    open() {
      if (state === "open") return undefined;
      if (state === "closed") {
        return Promise.reject(new TaskqError("TASKQ_CLOSED", `the queue '${queue}' is closed`));
      }
      opening ??= storage
        .open({ ...request, now: time.requestNow() })
        .then(() => {
          if (state === "new") state = "open";
          return undefined;
        })
        .finally(() => {
          opening = undefined;
        });
      return opening;
    },
    async close() {
      if (state === "closed") return;
      await opening?.catch(() => {});
      state = "closed";
      await releaseStorage(storage);
    },
  };
}

function checkedName(name: string): string {
  if (typeof name === "string" && NAME.test(name)) return name;
  throw unexpected(
    "createQueue name",
    "a letter or digit, then at most 63 letters, digits, '.', '_' or '-'",
    name,
  );
}

function isStorage(value: unknown): value is StorageContract {
  try {
    return (
      typeof value === "object" && value !== null && "step" in value && "enqueue" in value && "clock" in value
    );
  } catch {
    // A Proxy that refuses to be looked at.
    return false;
  }
}

function checkedStorage(storage: unknown): StorageContract {
  if (isStorage(storage)) return storage;
  const expected = isPromise(storage)
    ? "a storage, not a promise of one: await it first"
    : "a storage, such as sqliteStorage({ path: 'jobs.db' })";
  throw unexpectedSecret("createQueue storage", expected, storage);
}

/** Immediate mode has a time of its own, which begins now and stands still. */
function checkedClock(clock: Clock | null | undefined, immediate: boolean): Clock | undefined {
  if (clock === undefined) return immediate ? virtualClock(new Date()) : undefined;
  if (
    typeof clock === "object" &&
    clock !== null &&
    typeof clock.now === "function" &&
    typeof clock.until === "function"
  )
    return clock;
  throw unexpected("createQueue clock", "a clock with now() and until(instant)", clock);
}

function checkedSerializer(serializer: QueueOptions["serializer"]): Engine["serializer"] {
  if (serializer === undefined) return jsonSerializer();
  if (isSerializer(serializer)) return guardedSerializer(serializer);
  throw unexpectedSecret("createQueue serializer", "a serializer with encode() and decode()", serializer);
}

/** What is no task is passed over, so that a whole module may be given. */
function collectTasks(exports: unknown): ReadonlyMap<string, AnyTask> {
  if (typeof exports !== "object" || exports === null || isTask(exports) || isNameless(exports)) {
    throw unexpected("createQueue tasks", "an object of tasks, such as a module's exports", exports);
  }
  const tasks = new Map<string, AnyTask>();
  for (const [key, value] of Object.entries(exports)) {
    if (!isTask(value)) continue;
    const known = tasks.get(value.name);
    // One task under two names of a module is still one task.
    if (known !== undefined && known !== value) {
      throw new TaskqError(
        "TASKQ_DUPLICATE_TASK",
        `two tasks are named ${shown(value.name)}, the second one exported as ${shown(key)}: names are stored with the jobs, so each must be one task's alone`,
      );
    }
    tasks.set(value.name, value);
  }
  return tasks;
}

function policiesOf(definitions: ReadonlyMap<string, Definition>, options: Options): Engine["policies"] {
  const { defaults } = options;
  if (defaults !== undefined) refuseUnknown(defaults, DEFAULT_NAMES, "createQueue defaults");
  const checked = defaults === undefined ? undefined : checkedOptions(defaults, "createQueue defaults");
  return new Map([...definitions].map(([key, definition]) => [key, policyOf(definition, checked)]));
}

/** In milliseconds. No time at all would give up jobs before anybody could ask for them. */
function unknownAfterOf({ unknownAfter }: Options): number | undefined {
  if (unknownAfter === undefined) return undefined;
  const time = milliseconds(unknownAfter, "createQueue unknownAfter");
  if (time > 0) return time;
  throw unexpected("createQueue unknownAfter", "a duration of at least 1 ms", unknownAfter);
}

function retentionOf({ keep }: Options): StoredRetention {
  if (keep === undefined) return DEFAULT_RETENTION;
  const { completed, failed } = checkedKeep(keep, "createQueue keep");
  return {
    completed: {
      for: completed?.forMs ?? DEFAULT_RETENTION.completed.for,
      max: completed?.max ?? DEFAULT_RETENTION.completed.max,
    },
    failed: {
      for: failed?.forMs ?? DEFAULT_RETENTION.failed.for,
      max: failed?.max ?? DEFAULT_RETENTION.failed.max,
    },
  };
}
