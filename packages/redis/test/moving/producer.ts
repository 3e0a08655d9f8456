/** Enqueues all the time, and tries again what is refused while the queue moves. */
import { setTimeout as sleep } from "node:timers/promises";
import { createQueue, group, task, TaskqError, type Queue, type Storage } from "@taskq/core";

const work = task("work", async (milliseconds: number) => milliseconds);
const increase = task("increase", async (n: number) => n + 1);
const sum = task("sum", async (numbers: readonly number[]) => numbers.reduce((total, n) => total + n, 0));

export type LoadQueue = Queue<"work" | "increase" | "sum">;

/** The queue at a place, from the test's process. */
export function loadQueue(storage: Storage): LoadQueue {
  return createQueue({ name: "load", storage, tasks: { work, increase, sum } });
}

export class Producer {
  /** The ids of what was taken, and what each yields. */
  readonly expected: Map<string, number> = new Map();
  /** How often a place said that the queue is not open there. */
  refused = 0;
  /** Where the queue is: anywhere else, what is enqueued would be a queue of its own. */
  place: LoadQueue;
  #stops = false;
  #loop: Promise<void> = Promise.resolve();

  constructor(place: LoadQueue) {
    this.place = place;
  }

  start(): void {
    this.#loop = this.#produce();
    // Told by `stop`.
    this.#loop.catch(() => {});
  }

  async stop(): Promise<void> {
    this.#stops = true;
    await this.#loop;
  }

  async #produce(): Promise<void> {
    for (let n = 0; !this.#stops; n += 1) {
      await this.#enqueue(n);
      await sleep(10);
    }
  }

  async #enqueue(n: number): Promise<void> {
    const id = `job-${n}`;
    const takes = n % 12;
    for (;;) {
      try {
        await this.#enqueueAt(this.place, n, id, takes);
        return;
      } catch (error) {
        if (!(error instanceof TaskqError) || error.code !== "TASKQ_MOVED") throw error;
        this.refused += 1;
      }
      await sleep(10);
    }
  }

  async #enqueueAt(queue: LoadQueue, n: number, id: string, takes: number): Promise<void> {
    if (n % 5 === 0) {
      await queue.enqueue(group([work.job(takes), work.job(1)]).pipe(sum), { id });
      this.expected.set(id, takes + 1);
    } else if (n % 5 === 1) {
      await queue.enqueue(work.job(takes).pipe(increase), { id });
      this.expected.set(id, takes + 1);
    } else {
      await queue.enqueue(work.job(takes), { id, ...(n % 5 === 2 ? { delay: 40 } : {}) });
      this.expected.set(id, takes);
    }
  }
}
