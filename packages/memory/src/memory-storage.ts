/** The storage as core sees it: each call one move, carried out without interruption. */
import type { Storage } from "@taskq/core";
import { systemClock, TaskqError, type StorageContract } from "@taskq/core/storage";
import { amend } from "./amend.js";
import { control } from "./control.js";
import { enqueue } from "./enqueue.js";
import { explain } from "./explain.js";
import { keys } from "./keys.js";
import { counts, list } from "./list.js";
import { note, notes } from "./notes.js";
import { purge } from "./purge.js";
import { QueueState, type Move } from "./queue-state.js";
import { read } from "./read.js";
import { reap, renew } from "./reap.js";
import { reckonRetention } from "./retention.js";
import { schedules } from "./schedules.js";
import { step } from "./step.js";
import { tick } from "./tick.js";
import { values } from "./values.js";

/**
 * Keeps queues in the memory of this process: the same states, order and fences as the other storages, but nothing
 * outlives the process. For tests.
 *
 * @example
 * const queue = createQueue({ storage: memoryStorage(), tasks: { add } });
 */
export function memoryStorage(): Storage {
  // Opaque to users; what it can do is for core.
  return new MemoryStorage() as unknown as Storage;
}

type Request<Method extends keyof StorageContract> = StorageContract[Method] extends (
  request: infer Parameter,
) => unknown
  ? Parameter
  : never;

type Answer<Method extends keyof StorageContract> = StorageContract[Method] extends (
  request: never,
) => infer Value
  ? Value
  : never;

class MemoryStorage implements StorageContract, AsyncDisposable {
  readonly clock: StorageContract["clock"] = systemClock;
  readonly namespace: string = `memory:${crypto.randomUUID()}`;
  readonly description: string = "memory";
  readonly #queues = new Map<string, QueueState>();
  #closed = false;

  async open({ queue, retention }: Request<"open">): Answer<"open"> {
    this.#refuseClosed();
    const known = this.#queues.get(queue);
    if (known === undefined) this.#queues.set(queue, new QueueState(queue, retention));
    else {
      known.retention = retention;
      reckonRetention(known);
    }
    return { epoch: 0, phase: "open" };
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const { hints } of this.#queues.values()) hints.clear();
    this.#queues.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async enqueue(request: Request<"enqueue">): Answer<"enqueue"> {
    return enqueue(this.#move(request), request);
  }

  async step(request: Request<"step">): Answer<"step"> {
    return step(this.#move(request), request);
  }

  async renew(request: Request<"renew">): Answer<"renew"> {
    return renew(this.#move(request), request);
  }

  async reap(request: Request<"reap">): Answer<"reap"> {
    return reap(this.#move(request), request);
  }

  async amend(request: Request<"amend">): Answer<"amend"> {
    return amend(this.#move(request), request);
  }

  async control(request: Request<"control">): Answer<"control"> {
    return control(this.#move(request), request);
  }

  async tick(request: Request<"tick">): Answer<"tick"> {
    return tick(this.#move(request), request);
  }

  async schedules(request: Request<"schedules">): Answer<"schedules"> {
    return schedules(this.#move(request), request);
  }

  async read(request: Request<"read">): Answer<"read"> {
    return read(this.#queue(request.queue), request);
  }

  async list(request: Request<"list">): Answer<"list"> {
    const { queue, now } = this.#move(request);
    return list(queue, request, now);
  }

  async explain(request: Request<"explain">): Answer<"explain"> {
    return explain(this.#move(request), request.ids, request.tasks);
  }

  async counts(request: Request<"counts">): Answer<"counts"> {
    return counts(this.#queue(request.queue), request.by);
  }

  async note(request: Request<"note">): Answer<"note"> {
    return note(this.#move(request), request);
  }

  async notes(request: Request<"notes">): Answer<"notes"> {
    return notes(this.#queue(request.queue), request.id);
  }

  async values(request: Request<"values">): Answer<"values"> {
    return values(this.#move(request), request);
  }

  async keys(request: Request<"keys">): Answer<"keys"> {
    return keys(this.#move(request), request);
  }

  async purge(request: Request<"purge">): Answer<"purge"> {
    return purge(this.#move(request), request);
  }

  watch(queue: string, listener: Parameters<StorageContract["watch"]>[1]): () => void {
    return this.#queue(queue).hints.watch(listener);
  }

  async take(request: Request<"take">): Answer<"take"> {
    return this.#notYet(request.queue, "limits");
  }

  async stats(request: Request<"stats">): Answer<"stats"> {
    return this.#notYet(request.queue, "statistics");
  }

  async events(request: Request<"events">): Answer<"events"> {
    const { queue, now } = this.#move(request);
    return queue.feed.read(request, now);
  }

  async export(request: Request<"export">): Answer<"export"> {
    return this.#notYet(request.queue, "export");
  }

  async import(request: Request<"import">): Answer<"import"> {
    return this.#notYet(request.queue, "import");
  }

  #move({ queue, now }: { readonly queue: string; readonly now?: number | undefined }): Move {
    return { queue: this.#queue(queue), now: now ?? this.clock.now(), effects: [] };
  }

  #queue(name: string): QueueState {
    this.#refuseClosed();
    const queue = this.#queues.get(name);
    if (queue === undefined) throw new TaskqError("TASKQ_STORAGE", `the queue "${name}" is not open`);
    return queue;
  }

  #refuseClosed(): void {
    if (this.#closed) throw new TaskqError("TASKQ_CLOSED", "the storage is closed");
  }

  #notYet(queue: string, what: string): never {
    this.#queue(queue);
    throw new TaskqError("TASKQ_NOT_YET", `${what} of a memory storage are not there yet`);
  }
}
