import type { Duration, Resources } from "@taskq/core";
import {
  callable,
  flag,
  integer,
  isNameless,
  milliseconds,
  refuseUnknown,
  unexpected,
  type RunHost,
} from "@taskq/core/engine";

/** How a consumer works; all of it may be left out. */
export interface ConsumerOptions {
  /** Jobs at a time, over all queues: 1 to 10 000. @default 10 */
  readonly workers?: number;
  /** How long a job outlives a consumer that died; renewed while it runs. At least 100 ms. @default '30s' */
  readonly lease?: Duration;
  /** How long a stop waits for what has begun, and then for the `teardown`. @default '25s' */
  readonly grace?: Duration;
  /** Jobs claimed ahead of free workers. @default 'adaptive' */
  readonly prefetch?: "adaptive" | number;
  /** Fire periodic tasks; safe on any number of consumers. @default true */
  readonly periodic?: boolean;
  /** Where isolated tasks are exported; their threads and processes import them. Not yet used: a task that is isolated is refused with `TASKQ_NOT_YET`. */
  readonly modules?: readonly URL[];
  /** Runs, and is waited for, before the first claim; once more in each thread and process, once there are such. A failure stops the consumer. */
  readonly setup?: () => unknown;
  /** Runs after the last job, as `setup` did. */
  readonly teardown?: () => unknown;
  /** Made for each run, disposed of after it; `context.resources`. */
  readonly resources?: {
    readonly [Name in keyof Resources]: () => Resources[Name] | Promise<Resources[Name]>;
  };
  /** End a thread or a process after so many jobs. Not yet used. @default never */
  readonly recycle?: number;
}

/** The options, checked; durations in milliseconds. */
export interface CheckedOptions {
  readonly workers: number;
  readonly lease: number;
  readonly grace: number;
  readonly prefetch: "adaptive" | number;
  readonly periodic: boolean;
  readonly setup: (() => unknown) | undefined;
  readonly teardown: (() => unknown) | undefined;
  readonly resources: RunHost["resources"];
}

const NAMES = [
  "workers",
  "lease",
  "grace",
  "prefetch",
  "periodic",
  "modules",
  "setup",
  "teardown",
  "resources",
  "recycle",
];
const MOST_WORKERS = 10_000;
const MOST_AHEAD = 10_000;
/** A lease must outlive a busy event loop, in milliseconds. */
const SHORTEST_LEASE = 100;

/** @throws `TASKQ_OPTION` */
export function checkedConsumerOptions(options: ConsumerOptions): CheckedOptions {
  refuseUnknown(options, NAMES, "createConsumer");
  checkModules(options.modules);
  const { workers = 10, lease = "30s", grace = "25s", prefetch = "adaptive", periodic = true } = options;
  if (options.recycle !== undefined) integer(options.recycle, "createConsumer recycle", { min: 1 });
  return Object.freeze({
    workers: integer(workers, "createConsumer workers", { min: 1, max: MOST_WORKERS }),
    lease: checkedLease(lease),
    grace: checkedGrace(grace, "createConsumer grace"),
    prefetch: checkedPrefetch(prefetch),
    periodic: flag(periodic, "createConsumer periodic"),
    setup: options.setup === undefined ? undefined : callable(options.setup, "createConsumer setup"),
    teardown:
      options.teardown === undefined ? undefined : callable(options.teardown, "createConsumer teardown"),
    resources: checkedResources(options.resources),
  });
}

/** Milliseconds. @throws `TASKQ_OPTION` */
export function checkedGrace(grace: Duration, what: string): number {
  return milliseconds(grace, what);
}

function checkedLease(lease: Duration): number {
  const length = milliseconds(lease, "createConsumer lease");
  if (length >= SHORTEST_LEASE) return length;
  throw unexpected("createConsumer lease", `a duration of at least ${SHORTEST_LEASE} ms`, lease);
}

function checkedPrefetch(prefetch: unknown): "adaptive" | number {
  if (prefetch === "adaptive") return prefetch;
  if (typeof prefetch === "number") {
    return integer(prefetch, "createConsumer prefetch", { min: 0, max: MOST_AHEAD });
  }
  throw unexpected("createConsumer prefetch", "'adaptive' or an integer", prefetch);
}

function checkModules(modules: unknown): void {
  if (modules === undefined) return;
  if (Array.isArray(modules) && modules.every((module) => module instanceof URL)) return;
  throw unexpected(
    "createConsumer modules",
    "an array of URLs, such as [new URL('./tasks.js', import.meta.url)]",
    modules,
  );
}

function checkedResources(resources: object | undefined): RunHost["resources"] {
  if (resources === undefined) return undefined;
  if (
    typeof resources !== "object" ||
    resources === null ||
    Array.isArray(resources) ||
    isNameless(resources)
  ) {
    throw unexpected("createConsumer resources", "an object of functions", resources);
  }
  const factories: Record<string, () => unknown> = {};
  for (const [name, make] of Object.entries(resources) as [string, () => unknown][]) {
    factories[name] = callable(make, `createConsumer resources.${name}`);
  }
  // An empty object would make every run lend nothing, at a cost.
  return Object.keys(factories).length === 0 ? undefined : factories;
}
