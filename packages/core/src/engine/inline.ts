/** Executes stored jobs in the caller, in turn: immediate mode, `advance` and `drain` are made of it. */
import { randomUUID } from "node:crypto";
import { TaskqError } from "../errors.js";
import type { StepAnswer, StepRequest } from "../storage.js";
import type { Engine } from "./engine-types.js";
import { execute } from "./execute.js";
import type { FinishedRun } from "./finished-run.js";
import { JobRun } from "./job-run.js";
import type { RunHost } from "./run.js";
import { reportEffects, reportSettled } from "./report.js";

/** How long a run outlives this process, in milliseconds; renewed while it lasts. */
const LEASE = 30_000;

/** Called for each run that was settled. */
export type RunListener = (finished: FinishedRun) => void;

export class InlineRunner {
  readonly #engine: Engine;
  readonly #host: RunHost;
  readonly #running = new Set<JobRun>();
  #request = 0;

  constructor(engine: Engine, resources?: RunHost["resources"]) {
    this.#engine = engine;
    this.#host = {
      owner: `inline-${process.pid}-${randomUUID().slice(0, 8)}`,
      resources,
      serves: (other) => other.name === engine.name && other.storage === engine.storage,
    };
  }

  /**
   * Executes what is due, and what becomes due at this instant through it, one job at a time.
   *
   * @returns when the next job is due, if known. Epoch milliseconds.
   */
  async runDue(listener?: RunListener): Promise<number | undefined> {
    const engine = this.#engine;
    const renewing = setInterval(() => void this.#renew(), LEASE / 3).unref();
    try {
      let finished: FinishedRun | undefined;
      for (;;) {
        const answer = await this.#step(finished, listener);
        finished = undefined;
        const [claimed] = answer.claimed;
        if (claimed === undefined) {
          if (answer.more) continue;
          return answer.nextDue;
        }
        const run = new JobRun(engine, claimed, this.#host);
        this.#running.add(run);
        finished = await new Promise<FinishedRun>((resolve) => execute(run, resolve));
        this.#running.delete(run);
      }
    } finally {
      clearInterval(renewing);
    }
  }

  /** Settles what ended, and claims the next one. @throws `TASKQ_MOVED` */
  async #step(finished: FinishedRun | undefined, listener: RunListener | undefined): Promise<StepAnswer> {
    const engine = this.#engine;
    const request: StepRequest = {
      queue: engine.name,
      owner: this.#host.owner,
      request: ++this.#request,
      tasks: engine.taskNames,
      settled: finished === undefined ? [] : [finished.settlement],
      begun: [],
      claim: { begin: 1, ahead: 0, lease: LEASE },
      now: engine.time.requestNow(),
    };
    let moved: TaskqError | undefined;
    let answer: StepAnswer;
    try {
      answer = await engine.storage.step(request);
    } catch (error) {
      if (finished === undefined || !(error instanceof TaskqError) || error.code !== "TASKQ_MOVED")
        throw error;
      // A queue that moves hands out nothing more, but takes what ended.
      moved = error;
      answer = await engine.storage.step({ ...request, request: ++this.#request, claim: undefined });
    }
    if (finished !== undefined) {
      reportSettled(finished, answer.settled[0] ?? "lost");
      listener?.(finished);
    }
    reportEffects(engine, answer.effects);
    if (moved !== undefined) throw moved;
    return answer;
  }

  async #renew(): Promise<void> {
    const engine = this.#engine;
    const runs = [...this.#running].map(({ id, fence }) => ({ id, fence }));
    const { owner } = this.#host;
    await engine.storage
      .renew({ queue: engine.name, owner, lease: LEASE, runs, now: engine.time.requestNow() })
      .catch((error: unknown) =>
        engine.logger.warn({ error: String(error) }, "a lease could not be renewed"),
      );
  }
}
