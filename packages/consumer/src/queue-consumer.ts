/** The life of a consumer: started once, stopped once. */
import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import type { Duration } from "@taskq/core";
import { refuseUnknown, type Engine, type RunHost } from "@taskq/core/engine";
import { TaskqError } from "@taskq/core/storage";
import { checkedGrace, type CheckedOptions } from "./consumer-options.js";
import type { Consumer, ConsumerHealth } from "./consumer.js";
import { Deadline } from "./deadline.js";
import { LagGuard } from "./lag-guard.js";
import { openEngines, refuseIsolation } from "./opening.js";
import { heedProcessSignals } from "./process-signals.js";
import { ServedQueue } from "./served-queue.js";
import { Slots } from "./slots.js";

/** How long handlers have to end by themselves once their signal has aborted, in milliseconds. */
const LAST_MOMENT = 500;
/** How long a stop tries to settle what has ended, in milliseconds. */
const SETTLE_LIMIT = 10_000;

export class QueueConsumer implements Consumer {
  readonly #options: CheckedOptions;
  readonly #engines: readonly Engine[];
  readonly #slots: Slots;
  readonly #served: readonly ServedQueue[];
  readonly #lag: LagGuard;
  readonly #grace = new Deadline();
  readonly #settling = new Deadline();
  /** Aborts while the storage is waited for at the start. */
  readonly #leaving = new AbortController();
  #state: ConsumerHealth["state"] = "stopped";
  #starting: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;
  /** Whether setup has run. */
  #isSetUp = false;
  /** Whether it has begun to claim. */
  #serves = false;
  #failure: { readonly error: unknown } | undefined;
  #end: () => void = () => {};
  readonly #ended = new Promise<void>((resolve) => {
    this.#end = resolve;
  });

  constructor(engines: readonly Engine[], options: CheckedOptions) {
    this.#engines = engines;
    this.#options = options;
    this.#slots = new Slots(options.workers);
    const host: RunHost = {
      owner: `${hostname()}-${process.pid}-${randomUUID().slice(0, 8)}`,
      resources: options.resources,
      serves: (other) =>
        engines.some(({ name, storage }) => name === other.name && storage === other.storage),
    };
    const { lease, prefetch, periodic } = options;
    const failed = (error: unknown): void => this.#fail(error);
    this.#served = engines.map(
      (engine) => new ServedQueue({ engine, host, slots: this.#slots, lease, prefetch, periodic, failed }),
    );
    this.#lag = new LagGuard({
      logger: this.#logger,
      limit: lease / 3,
      caughtUp: () => this.#served.forEach(({ worker }) => worker.catchUp()),
      tasks: () => this.#recentTasks(),
    });
  }

  async run(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    refuseUnknown(options, ["signal"], "run");
    const { signal } = options;
    const stop = (): void => void this.stop();
    const stopNow = (): void => void this.stop({ grace: 0 });
    const signals = heedProcessSignals({ stop, stopNow });
    signal?.addEventListener("abort", stop, { once: true });
    try {
      if (signal?.aborted === true) return await this.stop();
      await this.start();
      await this.#ended;
      await this.#stopping;
    } finally {
      signals[Symbol.dispose]();
      signal?.removeEventListener("abort", stop);
    }
  }

  start(): Promise<void> {
    if (this.#starting === undefined && this.#stopping !== undefined) {
      const refusal = new TaskqError(
        "TASKQ_CLOSED",
        "the consumer was stopped: expected a new one from createConsumer",
      );
      return Promise.reject(refusal);
    }
    return (this.#starting ??= this.#start());
  }

  stop(options: { readonly grace?: Duration } = {}): Promise<void> {
    try {
      refuseUnknown(options, ["grace"], "stop");
      const grace = options.grace === undefined ? undefined : checkedGrace(options.grace, "stop grace");
      if (grace !== undefined || this.#stopping === undefined) {
        this.#grace.within(grace ?? this.#options.grace);
      }
    } catch (error) {
      return Promise.reject(error);
    }
    if (this.#stopping === undefined) {
      this.#leaving.abort();
      this.#stopping = this.#stop().finally(() => this.#end());
      // Whoever asked gets it; whoever only started has the log.
      this.#stopping.catch(() => {});
    }
    return this.#stopping;
  }

  health(): ConsumerHealth {
    const busy = this.#served.reduce((sum, { worker }) => sum + worker.dispatcher.running.size, 0);
    const claims = this.#served.flatMap(({ worker }) => worker.lastClaimAt ?? []);
    return {
      state: this.#state,
      connected: this.#served.every(({ worker }) => worker.outage.connected),
      workers: this.#options.workers,
      busy,
      lagMs: this.#lag.lagMs,
      lastClaimAt: claims.length === 0 ? undefined : new Date(Math.max(...claims)),
    };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #start(): Promise<void> {
    try {
      refuseIsolation(this.#engines);
      this.#state = "starting";
      await openEngines(this.#served, this.#leaving.signal);
      if (this.#leaving.signal.aborted) return;
      await this.#options.setup?.();
      this.#isSetUp = true;
    } catch (error) {
      this.#state = "stopped";
      this.#stopping ??= Promise.resolve();
      this.#end();
      throw error;
    }
    if (this.#stopping !== undefined) return;
    this.#state = "running";
    this.#serves = true;
    this.#lag.start();
    for (const served of this.#served) served.start();
  }

  async #stop(): Promise<void> {
    try {
      if (this.#starting === undefined) return;
      await this.#starting.catch(() => {});
      this.#state = "stopping";
      if (this.#serves) await this.#wind();
      if (this.#isSetUp) await this.#options.teardown?.();
    } finally {
      this.#state = "stopped";
      this.#lag.stop();
      this.#grace.clear();
      this.#settling.clear();
    }
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Lets what has begun end, or ends it, and settles it. */
  async #wind(): Promise<void> {
    const stopped = Promise.all(this.#served.map((served) => served.stopClaiming()));
    const workers = this.#served.map(({ worker }) => worker);
    const idle = Promise.all(workers.map(({ dispatcher }) => dispatcher.whenIdle())).then(() => true);
    if ((await Promise.race([idle, this.#grace.reached])) !== true) {
      const reason = new TaskqError("TASKQ_SHUTDOWN", "the consumer stops, and gives the job back");
      for (const worker of workers) worker.abort(reason);
      const lastMoment = new Deadline();
      lastMoment.within(LAST_MOMENT);
      await Promise.race([idle, lastMoment.reached]);
      lastMoment.clear();
      for (const worker of workers) worker.interrupt();
    }
    this.#settling.within(SETTLE_LIMIT);
    const settled = Promise.all(workers.map((worker) => worker.whenSettled()));
    await Promise.race([settled, this.#settling.reached]);
    const ended = Promise.all([stopped, ...this.#served.map((served) => served.end())]);
    await Promise.race([ended, this.#settling.reached]);
    const unsettled = workers.reduce((sum, worker) => sum + worker.unsettled, 0);
    if (unsettled > 0) {
      this.#logger.error(
        { runs: unsettled },
        "runs could not be settled: they run again once their leases are over",
      );
    }
  }

  #fail(cause: unknown): void {
    if (this.#failure === undefined) {
      this.#failure = { error: cause };
      this.#logger.error({ error: String(cause) }, "the consumer failed, and stops");
    }
    // A queue that moves away still takes what has ended.
    const moved = cause instanceof TaskqError && cause.code === "TASKQ_MOVED";
    void this.stop(moved ? {} : { grace: 0 });
  }

  #recentTasks(): readonly string[] {
    const names = new Set<string>();
    for (const { worker } of this.#served) {
      const { running, recentTasks } = worker.dispatcher;
      for (const { claimed } of running) names.add(claimed.task);
      for (const name of recentTasks) names.add(name);
      recentTasks.clear();
    }
    return [...names];
  }

  get #logger(): Engine["logger"] {
    const [first] = this.#engines;
    if (first === undefined) throw new TaskqError("TASKQ_OPTION", "a consumer without a queue");
    return first.logger;
  }
}
