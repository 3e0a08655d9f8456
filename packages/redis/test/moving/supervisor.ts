/** Keeps consumers running where the queue is, and kills one now and then. */
import { setTimeout as sleep } from "node:timers/promises";
import { Taskq } from "./processes.js";

export interface SupervisorOptions {
  readonly folder: string;
  readonly environment: Readonly<Record<string, string>>;
  /** The module of the place where the queue is open; `undefined`: nowhere. */
  readonly place: () => Promise<string | undefined>;
  readonly consumers: number;
  readonly lease: string;
}

export class Supervisor {
  /** Processes that were killed. */
  readonly killed: Set<number> = new Set();
  /** Ids of jobs whose lease ran out on a consumer that was alive. */
  readonly lost: Set<string> = new Set();
  readonly #options: SupervisorOptions;
  readonly #running = new Set<Taskq>();
  readonly #ends: Promise<void>[] = [];
  #stopped = false;
  #loop: Promise<void> = Promise.resolve();

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  start(): void {
    this.#loop = this.#supervise();
  }

  async #supervise(): Promise<void> {
    const { place, consumers } = this.#options;
    while (!this.#stopped) {
      const module = this.#running.size < consumers ? await place() : undefined;
      if (module !== undefined) this.#startOne(module);
      await sleep(50);
    }
  }

  #startOne(module: string): void {
    const { folder, environment, lease } = this.#options;
    const consumer = new Taskq(folder, ["run", module, "--lease", lease, "--workers", "4"], environment);
    this.#running.add(consumer);
    const end = this.#watch(consumer);
    this.#ends.push(end);
    // Told when all is stopped.
    end.catch(() => {});
  }

  async #watch(consumer: Taskq): Promise<void> {
    const { output, errors, code, signal } = await consumer.ended;
    this.#running.delete(consumer);
    for (const [, id = ""] of output.matchAll(/ lease-lost +\S+ +(\S+)/g)) this.lost.add(id);
    // One that was still starting has not yet taken SIGTERM for itself.
    const isKilled = signal === "SIGKILL" || (signal === "SIGTERM" && this.#stopped);
    if (isKilled || code === 0 || errors.includes("(TASKQ_MOVED)")) return;
    throw new Error(`a consumer ended with ${code ?? signal}:\n${errors}`);
  }

  /** Kills one that has begun to work. Answers whether there was one. */
  killOne(): boolean {
    const one = [...this.#running].find(({ output, runs }) => runs && output.includes("running;"));
    if (one === undefined) return false;
    this.killed.add(one.pid);
    one.kill("SIGKILL");
    return true;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#loop;
    for (const consumer of this.#running) consumer.kill("SIGTERM");
    await Promise.all(this.#ends);
  }
}
