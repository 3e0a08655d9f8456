/** The life of a consumer: started once, stopped once. */
import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import type { Duration } from "@taskq/core";
import { abortSignal, onAbort, refuseUnknown, type Engine, type RunHost } from "@taskq/core/engine";
import { TaskqError } from "@taskq/core/storage";
import { checkedGrace, type CheckedOptions } from "./consumer-options.js";
import type { Consumer, ConsumerHealth } from "./consumer.js";
import { comesWithin, Deadline } from "./deadline.js";
import { Hooks } from "./hooks.js";
import { LagGuard } from "./lag-guard.js";
import { openEngines, refuseIsolation } from "./opening.js";
import { heedProcessSignals } from "./process-signals.js";
import { ServedQueue } from "./served-queue.js";
import { Slots } from "./slots.js";

/** How long whatever is under way has to end once it is to stop at once, in milliseconds. */
const LAST_MOMENT = 500;
/** How long a stop tries to settle what has ended, in milliseconds. */
const SETTLE_LIMIT = 10_000;

export class QueueConsumer implements Consumer {
  readonly #options: CheckedOptions;
  readonly #engines: readonly Engine[];
  readonly #slots: Slots;
  readonly #served: readonly ServedQueue[];
  readonly #closings: ReadonlyMap<Engine, () => Promise<void>>;
  readonly #lag: LagGuard;
  readonly #grace = new Deadline();
  readonly #settling = new Deadline();
  /** Reached when somebody asks it to stop at once. */
  readonly #atOnce = new Deadline();
  /** How long a stop waits, in milliseconds: for what has begun, and for each hook. */
  #graceMs = Infinity;
  /** When the hook is left behind that is waited for. */
  #patience: Deadline | undefined;
  /** Aborts while the storage is waited for at the start. */
  readonly #leaving = new AbortController();
  readonly #hooks = new Hooks();
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
    const failed = (error: unknown): void => this.#failed(error);
    this.#served = engines.map(
      (engine) => new ServedQueue({ engine, host, slots: this.#slots, lease, prefetch, periodic, failed }),
    );
    this.#closings = new Map(engines.map((engine) => [engine, () => this.#closed(engine)]));
    this.#lag = new LagGuard({
      logger: this.#logger,
      limit: lease / 3,
      caughtUp: () => this.#served.forEach(({ worker }) => worker.catchUp()),
      tasks: () => this.#recentTasks(),
    });
  }

  async run(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    refuseUnknown(options, ["signal"], "run");
    const signal = abortSignal(options.signal, "run signal");
    const stop = (): void => void this.stop();
    const stopNow = (): void => void this.stop({ grace: 0 });
    const signals = heedProcessSignals({ stop, stopNow });
    const forget = onAbort(signal, stop);
    try {
      if (signal?.aborted === true) return await this.stop();
      // A stop at once does not wait for a start that hangs.
      await Promise.race([this.start(), this.#ended]);
      await this.#ended;
      await this.#stopping;
    } catch (error) {
      // Where it could not begin, it may have to be torn down.
      await this.#stopping?.catch(() => {});
      throw error;
    } finally {
      signals[Symbol.dispose]();
      forget();
    }
  }

  start(): Promise<void> {
    if (this.#stopping !== undefined) {
      const refusal = new TaskqError(
        "TASKQ_CLOSED",
        "the consumer was stopped: expected a new one from createConsumer",
      );
      return Promise.reject(refusal);
    }
    return (this.#starting ??= this.#start());
  }

  stop(options: { readonly grace?: Duration } = {}): Promise<void> {
    let grace: number | undefined;
    try {
      refuseUnknown(options, ["grace"], "stop");
      if (options.grace !== undefined) grace = checkedGrace(options.grace, "stop grace");
    } catch (error) {
      return Promise.reject(error);
    }
    const stopping = this.#stopWithin(grace);
    return this.#hooks.isAsking ? Promise.resolve() : stopping;
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

  #stopWithin(grace: number | undefined): Promise<void> {
    if (grace !== undefined || this.#stopping === undefined) {
      const most = grace ?? this.#options.grace;
      this.#grace.within(most);
      this.#graceMs = Math.min(this.#graceMs, most);
      if (most === 0) this.#atOnce.within(0);
      this.#limitPatience();
    }
    if (this.#stopping === undefined) {
      this.#leaving.abort();
      this.#stopping = this.#stop().finally(() => this.#end());
      // Whoever asked gets it; whoever only started has the log.
      this.#stopping.catch(() => {});
    }
    return this.#stopping;
  }

  async #start(): Promise<void> {
    try {
      refuseIsolation(this.#engines);
      this.#state = "starting";
      await openEngines(this.#served, this.#leaving.signal);
      if (this.#leaving.signal.aborted) return;
      await this.#hooks.call(this.#options.setup);
      this.#isSetUp = true;
    } catch (error) {
      this.#state = "stopped";
      // Where one of several storages refuses to open, no other one is waited for.
      this.#leaving.abort();
      throw error;
    }
    if (this.#stopping === undefined) this.#serve();
  }

  /** @throws `TASKQ_CLOSED` where a queue closes, or its storage was closed, meanwhile: then it serves none */
  #serve(): void {
    try {
      for (const [engine, stop] of this.#closings) engine.consumers.add(stop);
      for (const served of this.#served) served.listen();
    } catch (error) {
      for (const served of this.#served) served.unlisten();
      this.#fail(error);
      throw error;
    }
    this.#state = "running";
    this.#serves = true;
    this.#lag.start();
    for (const served of this.#served) served.start();
  }

  async #stop(): Promise<void> {
    try {
      if (this.#starting === undefined) return;
      const started = this.#starting.catch(() => {});
      // What serves claims no more in this very turn.
      if (!this.#serves) await this.#waitFor("start", started);
      this.#state = "stopping";
      if (this.#serves) await this.#wind();
      if (this.#isSetUp) await this.#tearDown();
    } finally {
      this.#state = "stopped";
      for (const [engine, stop] of this.#closings) engine.consumers.delete(stop);
      this.#lag.stop();
      this.#grace.clear();
      this.#settling.clear();
    }
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** What made the consumer fail is told, and not what the teardown then makes of it. */
  async #tearDown(): Promise<void> {
    try {
      await this.#waitFor("teardown", this.#hooks.call(this.#options.teardown));
    } catch (error) {
      if (this.#failure === undefined) throw error;
      this.#logger.error({ error: String(error) }, "the teardown failed, too");
    }
  }

  /** Waits for it as long as for what has begun; only for a moment, once it is to stop at once. */
  async #waitFor(what: string, awaited: Promise<unknown>): Promise<void> {
    const patience = (this.#patience = new Deadline());
    this.#limitPatience();
    try {
      const late = patience.reached.then(() => false);
      if (await Promise.race([awaited.then(() => true), late])) return;
      const why = this.#graceMs === 0 ? "stops at once" : "has waited for as long as its grace";
      this.#logger.error(`the consumer ${why}, and leaves its ${what} behind`);
    } finally {
      patience.clear();
    }
  }

  #limitPatience(): void {
    this.#patience?.within(Math.max(LAST_MOMENT, this.#graceMs));
  }

  /** Lets what has begun end, or ends it, and settles it. */
  async #wind(): Promise<void> {
    const stopped = this.#served.map((served) => served.stopClaiming());
    const workers = this.#served.map(({ worker }) => worker);
    const idle = Promise.all(workers.map(({ dispatcher }) => dispatcher.whenIdle())).then(() => true);
    if ((await Promise.race([idle, this.#grace.reached])) !== true) {
      const reason = new TaskqError("TASKQ_SHUTDOWN", "the consumer stops, and gives the job back");
      for (const worker of workers) worker.abort(reason);
      await comesWithin(LAST_MOMENT, idle);
      for (const worker of workers) worker.interrupt();
    }
    this.#settling.within(SETTLE_LIMIT);
    await Promise.all(this.#served.map((served, place) => this.#settle(served, stopped[place])));
    const unsettled = workers.reduce((sum, worker) => sum + worker.unsettled, 0);
    if (unsettled > 0) {
      this.#first.consumerLog.error(
        { runs: unsettled },
        "runs could not be settled: they run again once their leases are over",
      );
    }
  }

  /** Settles what ended, and ends what is done for one queue. */
  async #settle(served: ServedQueue, stopped: Promise<void> | undefined): Promise<void> {
    const settled = served.worker.whenSettled();
    const over = Promise.race([this.#settling.reached, this.#inVain(served, settled)]);
    await Promise.race([settled, over]);
    await Promise.race([Promise.all([stopped, served.end()]), over]);
  }

  /** Resolves a moment after it is to stop at once; where something is to be settled, not before the storage is away. */
  async #inVain({ worker }: ServedQueue, settled: Promise<void>): Promise<void> {
    await this.#atOnce.reached;
    // A claim that is not answered by then is not worth waiting for: what it may have claimed has not begun.
    if ((await comesWithin(LAST_MOMENT, settled)) || worker.unsettled === 0) return;
    await worker.outage.whenAway();
    worker.retryNow();
    await comesWithin(LAST_MOMENT, settled);
  }

  /** A queue closes, and waits for this. */
  async #closed({ name }: Engine): Promise<void> {
    if (this.#stopping === undefined) {
      const message = `the queue '${name}' was closed while a consumer served it: stop the consumer first`;
      this.#fail(new TaskqError("TASKQ_CLOSED", message));
    }
    if (!this.#hooks.isAsking) await this.#stopping?.catch(() => {});
  }

  #failed(cause: unknown): void {
    // A queue that moves away still takes what has ended.
    const moved = cause instanceof TaskqError && cause.code === "TASKQ_MOVED";
    this.#fail(cause, !moved);
  }

  /** @param givesBack whether what has begun is given back now; the teardown has its time all the same */
  #fail(cause: unknown, givesBack = false): void {
    const isFirst = this.#failure === undefined;
    this.#failure ??= { error: cause };
    if (givesBack) this.#grace.within(0);
    void this.#stopWithin(undefined);
    if (isFirst) this.#logger.error({ error: String(cause) }, "the consumer failed, and stops");
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
    return this.#first.logger;
  }

  get #first(): Engine {
    const [first] = this.#engines;
    if (first === undefined) throw new TaskqError("TASKQ_OPTION", "a consumer without a queue");
    return first;
  }
}
