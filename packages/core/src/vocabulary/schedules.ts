import type { Schedule } from "../schedule/schedule.js";
import type { Registered } from "./registered.js";
import type { Result } from "./result.js";
import type { Job } from "./task-and-job.js";
import type { Misfire, Overlap } from "./task-options.js";

/** Schedules made at run time and kept in the storage; those of `periodic` tasks are listed with them. */
export interface Schedules<in Names extends string = never> {
  /**
   * Stores it under the name, whatever was there: another one begins anew, not paused. The very same again changes nothing,
   * so a program may do it at each start.
   */
  upsert<Needs extends string>(
    name: string,
    entry: ScheduleEntry<Needs> & { readonly job: Registered<Needs, Names> },
  ): Promise<void>;
  list(): AsyncIterable<ScheduleSnapshot>;
  /** `false`: there is none of that name, or it was paused. */
  pause(name: string): Promise<boolean>;
  /** It goes on with its next instant: what passed while it was paused was not missed. `false`: there is none of that name, or it was not paused. */
  resume(name: string): Promise<boolean>;
  /**
   * Consumers that run fire it no more. One of a periodic task begins anew when a consumer that has the task starts.
   * `false`: there was none of that name.
   */
  remove(name: string): Promise<boolean>;
  /** Enqueues its job now, beside the schedule. @throws `TASKQ_UNKNOWN_SCHEDULE` */
  trigger(name: string): Promise<Result>;
  /** The next instants: 5, or as many as asked for, up to 10 000. @throws `TASKQ_UNKNOWN_SCHEDULE` */
  preview(name: string, count?: number): Promise<Date[]>;
}

/** What fires when. */
export interface ScheduleEntry<out Needs extends string = string> {
  readonly schedule: Schedule;
  /** Stages and groups of it are stored inside each other: at most 500, and with `jsonSerializer` as many as its `maxDepth` leaves. */
  readonly job: Job<unknown, Needs>;
  /** @default 'skip' */
  readonly overlap?: Overlap;
  /** @default 'once' */
  readonly misfire?: Misfire;
}

/** A schedule, as stored at one instant. */
export interface ScheduleSnapshot {
  readonly name: string;
  /** The name of the task. */
  readonly task: string;
  /** The rule, in text. */
  readonly expression: string;
  /** The IANA zone whose clock it follows. `undefined`: it follows none, as with `every`, or cannot be read here. */
  readonly timeZone: string | undefined;
  /** Declared by a `periodic` task, or stored by `upsert`. */
  readonly origin: "task" | "stored";
  readonly paused: boolean;
  /**
   * The latest instant that it fired for, or left out as the run before had not ended. `undefined`: none since it was made,
   * changed or resumed.
   */
  readonly lastAt: Date | undefined;
  /**
   * `undefined`: it is paused, or never comes again. Of a periodic task that no consumer has declared yet, or that was
   * removed since: the first instant if a consumer that has the task started now.
   */
  readonly nextAt: Date | undefined;
}
