/** What a queue is made of inside; types only. */
import type { Clock } from "../clock.js";
import type { Serializer } from "../serializer/serializer.js";
import type { OpenRequest, StorageContract } from "../storage.js";
import type { IdMaker } from "../id.js";
import type { Definition } from "../definition.js";
import type { Policy } from "./policy.js";
import type { FailedRun, Queue, QueueOptions } from "../vocabulary/queue.js";
import type { Logger } from "../vocabulary/logger.js";
import type { Middleware } from "../vocabulary/middleware.js";
import type { EventHub } from "./event-hub.js";
import type { ServingConsumers } from "./serving-consumers.js";
import type { Together } from "./together.js";
import type { ConsumerLog } from "./consumer-log.js";
import type { UnknownTasks } from "./unknown-tasks.js";
import type { Waiter } from "./waiter.js";

/** A queue from inside: what consumers, storages with transactions and the testing functions work with. */
export interface Engine {
  readonly name: string;
  readonly queue: Queue;
  readonly storage: StorageContract;
  readonly serializer: Serializer;
  readonly tasks: ReadonlyMap<string, Definition>;
  /** By the name of the task. */
  readonly policies: ReadonlyMap<string, Policy>;
  /** The names of the tasks; always the same array. */
  readonly taskNames: readonly string[];
  readonly logger: Logger;
  readonly events: EventHub;
  readonly unknownTasks: UnknownTasks;
  readonly consumerLog: ConsumerLog;
  /** Ends the readers of the feed. */
  readonly feeds: Set<() => void>;
  readonly consumers: ServingConsumers;
  readonly middleware: Middleware[];
  /** What it is opened with on its storage, whoever opens it. */
  readonly openRequest: OpenRequest;
  readonly serializeError: ((error: unknown, job: FailedRun) => unknown) | undefined;
  /** Whether stacks of errors are stored and told. */
  readonly stacks: boolean;
  readonly redact: NonNullable<QueueOptions["redact"]> | undefined;
  /** Executes what is due, of a queue in immediate mode, until these jobs and what became ready through them have ended. */
  readonly runInline: ((jobs?: Iterable<string>) => Promise<void>) | undefined;
  readonly makeId: IdMaker;
  readonly waiter: Waiter;
  readonly together: Together;
  readonly time: EngineTime;
  /** Opens the queue on its storage, once; `undefined` when it is open. @throws `TASKQ_CLOSED` */
  open(): Promise<void> | undefined;
  /** Refuses a closed queue. @throws `TASKQ_CLOSED` */
  assertOpen(): void;
}

/** The time of a queue: its storage's, an injected clock's, or the virtual one of a drain. */
export interface EngineTime {
  readonly clock: Clock;
  /** Epoch milliseconds. */
  now(): number;
  /** What requests to the storage carry: `undefined` while the storage's own clock decides. */
  requestNow(): number | undefined;
  /** Virtual time until it is given back with `undefined`. */
  override: number | undefined;
  /** While nobody else moves virtual time: moves it to an instant that a handler waits for. */
  pass: ((instant: number) => void) | undefined;
}
