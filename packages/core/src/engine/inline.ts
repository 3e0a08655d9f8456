/** Executes stored jobs in the caller, in turn: immediate mode, `advance` and `drain` are made of it. */
import { randomUUID } from "node:crypto";
import { TaskqError } from "../errors.js";
import type { StepAnswer, StepRequest, WatchHint } from "../storage.js";
import type { Engine } from "./engine-types.js";
import { execute } from "./execute.js";
import type { FinishedRun } from "./finished-run.js";
import { revokeRun } from "./invoke.js";
import { JobRun } from "./job-run.js";
import { isRefusal, refusedRun } from "./refused-run.js";
import type { RunHost } from "./run.js";
import { RunsUnderWay } from "./runs-under-way.js";
import { reportEffects, reportSettled } from "./report.js";

/** How long a run outlives this process, in milliseconds; renewed while it lasts. */
const LEASE = 30_000;
/** Milliseconds after which runs are renewed and revokes are heard of: what is over before costs neither. */
const KEPT_FROM = 50;

/** Called for each run that was settled. */
export type RunListener = (finished: FinishedRun) => void;

export class InlineRunner {
  readonly #engine: Engine;
  readonly #host: RunHost;
  readonly #underWay = new RunsUnderWay();
  #request = 0;
  #asked: Promise<unknown> = Promise.resolve();

  constructor(engine: Engine, resources?: RunHost["resources"]) {
    this.#engine = engine;
    this.#host = {
      owner: `inline-${process.pid}-${randomUUID().slice(0, 8)}`,
      resources,
      stays: true,
      serves: (other) => other.name === engine.name && other.storage === engine.storage,
    };
  }

  /**
   * Executes what is due, and what becomes due at this instant through it, one job at a time.
   *
   * @returns when the next job is due, if known. Epoch milliseconds.
   */
  async runDue(listener?: RunListener): Promise<number | undefined> {
    const letGo = this.#keepRuns();
    try {
      return await this.#run(listener);
    } finally {
      letGo();
    }
  }

  /** The same, until these jobs and what became ready through them have ended, also where another call runs them. */
  async runUntilEnded(jobs: Iterable<string>): Promise<void> {
    await this.#underWay.whileUnderWay(jobs, () => this.runDue());
  }

  async #run(listener: RunListener | undefined): Promise<number | undefined> {
    let finished: FinishedRun | undefined;
    let lookedAgain = false;
    try {
      for (;;) {
        const answer = await this.#step(finished, listener);
        const [claimed] = answer.claimed;
        const run = claimed === undefined ? undefined : new JobRun(this.#engine, claimed, this.#host);
        // Before whoever waits for the one before looks what is under way.
        if (run !== undefined) this.#underWay.begin(run);
        if (finished !== undefined) this.#underWay.end(finished.run, followersOf(finished, answer));
        finished = undefined;
        if (run !== undefined) {
          finished = await new Promise<FinishedRun>((resolve) => execute(run, resolve));
          lookedAgain = false;
        } else if (!answer.more) {
          // A line that the step itself has made may open at once: the next one lets its first go.
          const isOver =
            lookedAgain || answer.nextDue === undefined || answer.nextDue > this.#engine.time.now();
          if (isOver) return answer.nextDue;
          lookedAgain = true;
        }
      }
    } finally {
      if (finished !== undefined) this.#underWay.end(finished.run, []);
    }
  }

  /** Settles what ended, and claims the next one. @throws `TASKQ_MOVED`, and why the storage hands out none */
  async #step(finished: FinishedRun | undefined, listener: RunListener | undefined): Promise<StepAnswer> {
    const settled = finished === undefined ? [] : [finished.settlement];
    let over: TaskqError | undefined;
    let answer: StepAnswer;
    let told = finished;
    try {
      answer = await this.#ask(settled, { begin: 1, ahead: 0, lease: LEASE });
      over = answer.unclaimed;
    } catch (error) {
      if (finished === undefined) throw error;
      if (error instanceof TaskqError && error.code === "TASKQ_MOVED") {
        // A queue that moves hands out nothing more, but takes what ended.
        over = error;
        answer = await this.#ask(settled, undefined);
      } else {
        [told, answer] = await this.#settleAlone(finished, error);
      }
    }
    if (answer.settled[0] === "refused" && finished?.afterRefusal !== undefined) {
      told = finished.afterRefusal();
      answer = afterBoth(answer, await this.#ask([told.settlement], undefined));
    }
    if (told !== undefined) {
      reportSettled(told, answer.settled[0] ?? "lost");
      listener?.(told);
    }
    reportEffects(this.#engine, answer.effects);
    this.#abortRevoked(answer.revoked);
    if (over !== undefined) throw over;
    return answer;
  }

  /**
   * Settles what a step was refused with: as it ended, or as a failed attempt.
   *
   * @throws what that was, if the storage takes neither
   */
  async #settleAlone(finished: FinishedRun, refusal: unknown): Promise<[FinishedRun, StepAnswer]> {
    if (!isRefusal(refusal)) throw refusal;
    try {
      return [finished, withMore(await this.#ask([finished.settlement], undefined))];
    } catch (error) {
      const otherwise = isRefusal(error) ? refusedRun(finished, error) : undefined;
      if (otherwise === undefined) throw error;
      return [otherwise, withMore(await this.#ask([otherwise.settlement], undefined))];
    }
  }

  /** One step at a time, in the order of their numbers: a storage takes an earlier number for a repeated request. */
  #ask(settled: StepRequest["settled"], claim: StepRequest["claim"]): Promise<StepAnswer> {
    const engine = this.#engine;
    const answer = this.#asked.then(() =>
      engine.storage.step({
        queue: engine.name,
        owner: this.#host.owner,
        request: ++this.#request,
        tasks: engine.taskNames,
        settled,
        begun: [],
        claim,
        now: engine.time.requestNow(),
      }),
    );
    this.#asked = answer.catch(() => {});
    return answer;
  }

  /** Renews what lasts, and hears of revokes: a handler may end only once its signal aborts. Answers how to stop. */
  #keepRuns(): () => void {
    const { name, storage } = this.#engine;
    let unwatch: (() => void) | undefined;
    let renewing: NodeJS.Timeout | undefined;
    const timer = setTimeout(() => {
      try {
        const hear = ({ kind }: WatchHint): void => void (kind === "control" && this.#renew());
        unwatch = storage.watch(name, hear, { final: false });
      } catch (error) {
        // The storage was closed under the run, whose end is told so.
        return this.#tellUnrenewed(error);
      }
      renewing = setInterval(() => void this.#renew(), LEASE / 3).unref();
      void this.#renew();
    }, KEPT_FROM);
    return () => {
      clearTimeout(timer);
      clearInterval(renewing);
      unwatch?.();
    };
  }

  async #renew(): Promise<void> {
    const engine = this.#engine;
    const runs = [...this.#underWay].map(({ id, fence }) => ({ id, fence }));
    const { owner } = this.#host;
    try {
      const request = { queue: engine.name, owner, lease: LEASE, runs, now: engine.time.requestNow() };
      const { revoked } = await engine.storage.renew(request);
      this.#abortRevoked(revoked);
    } catch (error) {
      this.#tellUnrenewed(error);
    }
  }

  #tellUnrenewed(error: unknown): void {
    this.#engine.logger.warn({ error: String(error) }, "a lease could not be renewed");
  }

  #abortRevoked(revoked: StepAnswer["revoked"]): void {
    for (const { id, fence } of revoked) {
      const run = [...this.#underWay].find((one) => one.id === id && one.fence === fence);
      if (run !== undefined) revokeRun(run);
    }
  }
}

/** The answer to a step that has not claimed: there may be something to claim. */
function withMore({ settled, nextDue, revoked, effects }: StepAnswer): StepAnswer {
  return { settled, claimed: [], more: true, nextDue, revoked, effects };
}

/** What a step has claimed, and what came of settling otherwise what it refused: that may be due again. */
function afterBoth(refused: StepAnswer, { settled, effects }: StepAnswer): StepAnswer {
  const { claimed, nextDue, revoked } = refused;
  return { settled, claimed, more: true, nextDue, revoked, effects: [...refused.effects, ...effects] };
}

/** Ids of the jobs that became ready, or were made, as a run was settled. */
function followersOf({ settlement }: FinishedRun, { effects }: StepAnswer): string[] {
  const made = settlement.add ?? [];
  const readied = effects.filter(({ kind }) => kind === "readied");
  return [...made.flatMap(({ jobs }) => jobs), ...readied].map(({ id }) => id);
}

const runners = new WeakMap<Engine, InlineRunner>();

/** Executes what is due of a queue in immediate mode, for all who call. */
export function inlineRunnerOf(engine: Engine): InlineRunner {
  let runner = runners.get(engine);
  if (runner === undefined) {
    runner = new InlineRunner(engine);
    runners.set(engine, runner);
  }
  return runner;
}
