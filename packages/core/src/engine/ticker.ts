/** Fires schedules. Any number of processes may: the storage lets each instant through once. */
import { TaskqError } from "../errors.js";
import type { NewFlow, ScheduleRecord, TickAnswer } from "../storage.js";
import { declareSchedule, periodicTasks } from "./declare-schedule.js";
import type { Engine } from "./engine-types.js";
import { NO_OPTIONS } from "./enqueue-options.js";
import { errorText } from "./failure.js";
import { buildFlow } from "./flow.js";
import { dueInstants, nextInstant } from "./misfire.js";
import { reportEnqueued } from "./report.js";
import { ruleOfRecord, type FiringRule } from "./stored-schedule.js";

/** What concerns the storage, and so every schedule. */
const OF_ALL: ReadonlySet<string> = new Set([
  "TASKQ_UNAVAILABLE",
  "TASKQ_BUSY",
  "TASKQ_STORAGE",
  "TASKQ_CLOSED",
  "TASKQ_MOVED",
]);
/** The pause before a schedule that could not be fired is tried again, in milliseconds. */
const PAUSE_AFTER_ERROR = 1_000;
/** The same where the storage's clock has not come to its instant yet. */
const PAUSE_IF_EARLY = 20;

/** Told of a schedule whose job could not be enqueued; it is tried again after a second. */
export type FiringListener = (name: string, error: TaskqError) => void;

/** A rule that was read, with the bytes it was read from. */
interface Known {
  readonly bytes: Uint8Array;
  readonly rule: FiringRule | undefined;
}

export class Ticker {
  readonly #engine: Engine;
  readonly #known = new Map<string, Known>();
  readonly #complained = new Set<string>();

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** Makes the queue's periodic tasks known to the storage: one first seen starts now. */
  async declare(): Promise<void> {
    for (const definition of periodicTasks(this.#engine)) await declareSchedule(this.#engine, definition);
  }

  /**
   * Fires what is due and answers the next instant, if there is one. Epoch milliseconds. One that cannot be fired keeps
   * no other from it; without a listener, its error is thrown once all have had their turn.
   */
  async tick(failed?: FiringListener): Promise<number | undefined> {
    const engine = this.#engine;
    const { schedules } = await engine.storage.schedules({
      queue: engine.name,
      now: engine.time.requestNow(),
    });
    let earliest: number | undefined;
    const errors: TaskqError[] = [];
    const told: FiringListener = failed ?? ((_name, error) => errors.push(error));
    for (const record of schedules) {
      const next = record.paused ? undefined : await this.#fireOrTell(record, told);
      if (next !== undefined && (earliest === undefined || next < earliest)) earliest = next;
    }
    if (errors[0] !== undefined) throw errors[0];
    return earliest;
  }

  async #fireOrTell(record: ScheduleRecord, told: FiringListener): Promise<number | undefined> {
    try {
      return await this.#fire(record);
    } catch (error) {
      if (error instanceof TaskqError && OF_ALL.has(error.code)) throw error;
      told(record.name, firingError(record.name, error));
      return this.#engine.time.now() + PAUSE_AFTER_ERROR;
    }
  }

  /** Answers the next instant of this schedule. */
  async #fire(record: ScheduleRecord): Promise<number | undefined> {
    const rule = this.#ruleOf(record);
    if (rule === undefined) return undefined;
    const now = this.#engine.time.now();
    let last = record.lastAt;
    const { latest, run } = dueInstants(rule.schedule, last, now, rule.misfire);
    if (latest !== undefined) {
      const answer = await this.#tick(rule, last, latest, run);
      last = answer.lastAt ?? latest;
      // Another process was first, with another instant: look again at once. If none was, it is too early by the storage's clock.
      if (answer.status === "stale" && last < latest)
        return last === record.lastAt ? now + PAUSE_IF_EARLY : now;
    }
    return nextInstant(rule.schedule, last);
  }

  async #tick(rule: FiringRule, previous: number, at: number, run: readonly number[]): Promise<TickAnswer> {
    const engine = this.#engine;
    const flows: NewFlow[] = [];
    const now = engine.time.now();
    for (const instant of run) {
      const options = { ...NO_OPTIONS, due: instant, instant };
      const built = await buildFlow(engine, rule.composition, options, now);
      flows.push(built.flow);
    }
    const answer = await engine.storage.tick({
      queue: engine.name,
      name: rule.name,
      previous,
      at,
      flows,
      overlap: rule.overlap,
      now: engine.time.requestNow(),
    });
    if (answer.status === "applied") reportEnqueued(engine, flows, answer);
    return answer;
  }

  /** `undefined`: one that this program cannot fire, since it lacks a task; another one will. */
  #ruleOf(record: ScheduleRecord): FiringRule | undefined {
    const known = this.#known.get(record.name);
    if (known !== undefined && sameBytes(known.bytes, record.bytes)) return known.rule;
    const rule = this.#read(record);
    this.#known.set(record.name, { bytes: record.bytes, rule });
    return rule;
  }

  #read(record: ScheduleRecord): FiringRule | undefined {
    try {
      return ruleOfRecord(this.#engine, record);
    } catch (error) {
      const known = error instanceof TaskqError && error.code === "TASKQ_UNKNOWN_TASK";
      if (!known && !this.#complained.has(record.name)) {
        this.#complained.add(record.name);
        this.#engine.logger.error(
          { schedule: record.name, error: errorText(error) },
          "a schedule cannot be fired",
        );
      }
      return undefined;
    }
  }
}

function firingError(name: string, error: unknown): TaskqError {
  if (error instanceof TaskqError) return error;
  return new TaskqError("TASKQ_INPUT", `the schedule '${name}' cannot be fired: ${errorText(error)}`, {
    cause: error,
  });
}

function sameBytes(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, index) => byte === right[index]);
}
