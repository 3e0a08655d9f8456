import type { Engine } from "@taskq/core/engine";
import type { WatchHint } from "@taskq/core/storage";
import { Loop } from "./loop.js";
import { PeriodicLoop } from "./periodic-loop.js";
import { QueueWorker, type QueueWorkerOptions } from "./queue-worker.js";
import { Reaper } from "./reaper.js";

export interface ServedQueueOptions extends Omit<QueueWorkerOptions, "connectionChanged"> {
  readonly periodic: boolean;
}

/** All that a consumer does for one queue: executes its jobs, takes those of the dead, fires its schedules. */
export class ServedQueue {
  readonly engine: Engine;
  readonly worker: QueueWorker;
  readonly #reaping: Loop;
  readonly #periodic: PeriodicLoop | undefined;
  readonly #firing: Loop | undefined;
  #unwatch: (() => void) | undefined;

  constructor(options: ServedQueueOptions) {
    const { engine, lease, failed } = options;
    const { clock } = engine.time;
    this.engine = engine;
    this.worker = new QueueWorker({
      ...options,
      connectionChanged: () => {
        this.#reaping.wake();
        this.#periodic?.hear();
        this.#firing?.wake();
      },
    });
    const { worker } = this;
    const { outage } = worker;
    const reaper = new Reaper({ engine, lease, outage, reaped: () => worker.lookForWork() });
    this.#reaping = new Loop(() => reaper.tick(), clock, failed);
    if (!options.periodic) return;
    const periodic = new PeriodicLoop(engine, outage, () => worker.lookForWork());
    this.#periodic = periodic;
    this.#firing = new Loop(() => periodic.tick(), clock, failed);
  }

  /** Hears what happens in the storage; before it starts. @throws `TASKQ_CLOSED` where the storage was closed */
  listen(): void {
    const hear = (hint: WatchHint): void => this.#hear(hint);
    this.#unwatch = this.engine.storage.watch(this.engine.name, hear, { final: false });
  }

  start(): void {
    this.worker.start();
    this.#reaping.start();
    this.#firing?.start();
  }

  /** Claims, takes and fires no more. */
  async stopClaiming(): Promise<void> {
    this.worker.stopClaiming();
    await Promise.all([this.#reaping.stop(), this.#firing?.stop()]);
  }

  /** Hears nothing more. */
  unlisten(): void {
    this.#unwatch?.();
  }

  async end(): Promise<void> {
    this.unlisten();
    await this.worker.end();
  }

  #hear(hint: WatchHint): void {
    this.worker.hear(hint);
    if (this.#periodic === undefined || hint.kind === "ready" || hint.kind === "final") return;
    this.#firing?.wakeWithin(this.#periodic.hear());
  }
}
