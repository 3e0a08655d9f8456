/** Fires schedules. Any number of processes may: the storage lets each instant through once. */
import { setImmediate as nextTurn } from "node:timers/promises";
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
/** The pause before a schedule that could not be declared or fired is tried again, in milliseconds. */
export const PAUSE_AFTER_ERROR = 1_000;
/** The same where the storage's clock has not come to its instant yet. */
const PAUSE_IF_EARLY = 20;

/** So many schedules are looked at before others have their turn: ten thousand would keep them waiting for a second. */
const SCHEDULES_AT_ONCE = 100;

/** Told of a schedule that could not be declared, or whose job could not be enqueued; it is tried again after a second. */
export type FiringListener = (name: string, error: TaskqError) => void;

/** A rule that was read, with the bytes it was read from. */
interface Known {
  bytes: Uint8Array;
  readonly rule: FiringRule | undefined;
  /** The last instant for which the next one was reckoned, and that. */
  last?: number;
  next?: number | undefined;
}

export class Ticker {
  readonly #engine: Engine;
  readonly #known = new Map<string, Known>();
  readonly #complained = new Set<string>();
  /** By name, as they were read last, or fired here since. `undefined`: they are to be read. */
  #records: Map<string, ScheduleRecord> | undefined;
  /** The storage has lost some, and could not take them again as they were read. */
  #lacks = false;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /**
   * Makes the queue's periodic tasks known to the storage: one first seen starts now. One that cannot be written keeps no other
   * from it; without a listener, its error is thrown once all have had their turn. Answers whether all are known.
   */
  async declare(failed?: FiringListener): Promise<boolean> {
    const errors: TaskqError[] = [];
    for (const definition of periodicTasks(this.#engine)) {
      try {
        await declareSchedule(this.#engine, definition);
      } catch (error) {
        if (isOfAll(error)) throw error;
        const told = asTaskqError(`the schedule '${definition.name}' cannot be declared`, error);
        errors.push(told);
        failed?.(definition.name, told);
      }
    }
    if (failed === undefined && errors[0] !== undefined) throw errors[0];
    return errors.length === 0;
  }

  /**
   * Fires what is due and answers the next instant, if there is one. Epoch milliseconds. One that cannot be fired keeps
   * no other from it; without a listener, its error is thrown once all have had their turn.
   *
   * @param rereads whether all schedules are read; else those that were read last are, unless the storage knew one otherwise since
   */
  async tick(failed?: FiringListener, rereads = true): Promise<number | undefined> {
    const errors: TaskqError[] = [];
    const told: FiringListener = failed ?? ((_name, error) => errors.push(error));
    try {
      const records = (rereads ? undefined : this.#records) ?? (await this.#readAll(told));
      const earliest = this.#soonerIfLost(await this.#fireAmong(records, told));
      if (errors[0] !== undefined) throw errors[0];
      return earliest;
    } catch (error) {
      this.#records = undefined;
      throw error;
    }
  }

  async #readAll(told: FiringListener): Promise<Map<string, ScheduleRecord>> {
    const engine = this.#engine;
    const { schedules, lost = [] } = await engine.storage.schedules({
      queue: engine.name,
      now: engine.time.requestNow(),
    });
    this.#forgetAllBut(schedules);
    for (const { name, error } of lost) told(name, error);
    this.#lacks = lost.length > 0;
    return (this.#records = new Map(schedules.map((record) => [record.name, record])));
  }

  /** What could not be declared again is tried again after a pause, by reading. */
  #soonerIfLost(earliest: number | undefined): number | undefined {
    if (!this.#lacks) return earliest;
    this.#records = undefined;
    return Math.min(earliest ?? Infinity, this.#engine.time.now() + PAUSE_AFTER_ERROR);
  }

  async #fireAmong(
    records: ReadonlyMap<string, ScheduleRecord>,
    told: FiringListener,
  ): Promise<number | undefined> {
    const now = this.#engine.time.now();
    let earliest: number | undefined;
    let looked = 0;
    for (const record of records.values()) {
      if (record.paused) continue;
      let next = this.#nextAfter(record, now);
      if (next === undefined) {
        looked += 1;
        if (looked % SCHEDULES_AT_ONCE === 0) await nextTurn();
        next = await this.#fireOrTell(record, told);
      }
      if (next !== undefined && (earliest === undefined || next < earliest)) earliest = next;
    }
    return earliest;
  }

  /** Its next instant, if that was reckoned before and has not come. */
  #nextAfter({ name, bytes, lastAt }: ScheduleRecord, now: number): number | undefined {
    const known = this.#known.get(name);
    if (known?.bytes !== bytes || known.last !== lastAt) return undefined;
    return known.next !== undefined && known.next > now ? known.next : undefined;
  }

  /** Names that come and go are not remembered for ever. */
  #forgetAllBut(schedules: readonly ScheduleRecord[]): void {
    if (this.#known.size <= schedules.length) return;
    const names = new Set(schedules.map(({ name }) => name));
    for (const name of this.#known.keys()) {
      if (names.has(name)) continue;
      this.#known.delete(name);
      this.#complained.delete(name);
    }
  }

  async #fireOrTell(record: ScheduleRecord, told: FiringListener): Promise<number | undefined> {
    try {
      return await this.#fire(record);
    } catch (error) {
      if (isOfAll(error)) throw error;
      told(record.name, asTaskqError(`the schedule '${record.name}' cannot be fired`, error));
      return this.#engine.time.now() + PAUSE_AFTER_ERROR;
    }
  }

  /** Answers the next instant of this schedule. */
  async #fire(record: ScheduleRecord): Promise<number | undefined> {
    const known = this.#knownOf(record);
    const { rule } = known;
    if (rule === undefined) return undefined;
    const now = this.#engine.time.now();
    let last = record.lastAt;
    if (known.last !== last) {
      known.next = nextInstant(rule.schedule, last);
      known.last = last;
    }
    if (known.next === undefined || known.next > now) return known.next;
    const { latest, run } = dueInstants(rule.schedule, last, now, rule.misfire);
    if (latest !== undefined) {
      const { status, lastAt = latest } = await this.#tick(rule, last, latest, run);
      last = lastAt;
      // It is another one by now, or was fired elsewhere with another instant: look again at once. If not, it is too early by the storage's clock.
      if (last !== latest || status === "removed" || status === "paused") {
        this.#records = undefined;
        return last === record.lastAt ? now + PAUSE_IF_EARLY : now;
      }
      this.#records?.set(record.name, { ...record, lastAt: last });
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
    if (answer.status === "applied") reportEnqueued(engine, flows.slice(answer.skipped ?? 0), answer);
    return answer;
  }

  /** Without a rule: one that this program cannot fire, since it lacks a task; another one will. */
  #knownOf(record: ScheduleRecord): Known {
    const before = this.#known.get(record.name);
    if (before !== undefined && Buffer.compare(before.bytes, record.bytes) === 0) {
      before.bytes = record.bytes;
      return before;
    }
    const known = { bytes: record.bytes, rule: this.#read(record) };
    this.#known.set(record.name, known);
    return known;
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

function isOfAll(error: unknown): boolean {
  return error instanceof TaskqError && OF_ALL.has(error.code);
}

function asTaskqError(what: string, error: unknown): TaskqError {
  if (error instanceof TaskqError) return error;
  return new TaskqError("TASKQ_INPUT", `${what}: ${errorText(error)}`, { cause: error });
}
