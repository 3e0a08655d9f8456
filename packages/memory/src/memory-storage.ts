/** The storage as core sees it: each call one move, carried out without interruption. */
import type { Storage } from "@taskq/core";
import { unexpected } from "@taskq/core/engine";
import {
  LoopTurn,
  systemClock,
  TaskqError,
  type StorageAnswer as Answer,
  type StorageContract,
  type StorageRequest as Request,
} from "@taskq/core/storage";
import { amend } from "./amend.js";
import { control } from "./control.js";
import { enqueue } from "./enqueue.js";
import { explain } from "./explain.js";
import { exportQueue } from "./export.js";
import { readFeed } from "./feed.js";
import { importQueue } from "./import.js";
import { keys } from "./keys.js";
import { counts, list } from "./list.js";
import { note, notes } from "./notes.js";
import { admit, refuseStill } from "./phase.js";
import { purge } from "./purge.js";
import { QueueState, type Move } from "./queue-state.js";
import { read } from "./read.js";
import { reap, renew } from "./reap.js";
import { reckonRetention } from "./retention.js";
import { schedules } from "./schedules.js";
import { stats } from "./stats.js";
import { step } from "./step.js";
import { take } from "./take.js";
import { tick } from "./tick.js";
import { beginLinesAnew } from "./unknown.js";
import { values } from "./values.js";

/**
 * Keeps queues in the memory of this process: the same states, order and fences as the other storages, but nothing
 * outlives the process. For tests.
 *
 * @throws `TASKQ_OPTION` for options: it has none
 * @example
 * const queue = createQueue({ storage: memoryStorage(), tasks: { add } });
 */
export function memoryStorage(): Storage;
export function memoryStorage(options?: unknown): Storage {
  if (options !== undefined) throw unexpected("memoryStorage", "no options", options);
  // Opaque to users; what it can do is for core.
  return new MemoryStorage() as unknown as Storage;
}

interface About {
  readonly queue: string;
  readonly now?: number | undefined;
}

class MemoryStorage implements StorageContract, AsyncDisposable {
  readonly clock: StorageContract["clock"] = systemClock;
  readonly namespace: string = `memory:${crypto.randomUUID()}`;
  readonly description: string = "memory";
  readonly #queues = new Map<string, QueueState>();
  readonly #turn = new LoopTurn();
  #closed = false;

  async open({ queue, retention, unknownAfter = Infinity, now }: Request<"open">): Answer<"open"> {
    this.#refuseClosed();
    const known = this.#queues.get(queue);
    if (known === undefined) this.#queues.set(queue, new QueueState(queue, retention, unknownAfter));
    else {
      known.retention = retention;
      reckonRetention(known);
      if (known.unknownAfter !== unknownAfter) {
        known.unknownAfter = unknownAfter;
        beginLinesAnew(this.#move({ queue, now }));
      }
    }
    return { epoch: known?.epoch ?? 0, phase: known?.phase ?? "open" };
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const { hints } of this.#queues.values()) hints.clear();
    this.#queues.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  enqueue(request: Request<"enqueue">): Answer<"enqueue"> {
    return this.#inTurn(() => enqueue(this.#move(request), request));
  }

  step(request: Request<"step">): Answer<"step"> {
    return this.#inTurn(() => step(this.#move(request), request));
  }

  renew(request: Request<"renew">): Answer<"renew"> {
    return this.#inTurn(() => renew(this.#move(request), request));
  }

  reap(request: Request<"reap">): Answer<"reap"> {
    return this.#inTurn(() => reap(this.#move(request), request));
  }

  amend(request: Request<"amend">): Answer<"amend"> {
    return this.#inTurn(() => amend(this.#changing(request), request));
  }

  control(request: Request<"control">): Answer<"control"> {
    return this.#inTurn(() => control(this.#move(request), request));
  }

  tick(request: Request<"tick">): Answer<"tick"> {
    return this.#inTurn(() => tick(this.#admitted(request), request));
  }

  schedules(request: Request<"schedules">): Answer<"schedules"> {
    return this.#inTurn(() => schedules(this.#mayChange(request, request.change !== undefined), request));
  }

  read(request: Request<"read">): Answer<"read"> {
    return this.#inTurn(() => read(this.#queue(request.queue), request));
  }

  list(request: Request<"list">): Answer<"list"> {
    return this.#inTurn(() => {
      const { queue, now } = this.#move(request);
      return list(queue, request, now);
    });
  }

  explain(request: Request<"explain">): Answer<"explain"> {
    return this.#inTurn(() => explain(this.#move(request), request.ids, request.tasks));
  }

  counts(request: Request<"counts">): Answer<"counts"> {
    return this.#inTurn(() => counts(this.#queue(request.queue), request.by));
  }

  note(request: Request<"note">): Answer<"note"> {
    return this.#inTurn(() => note(this.#move(request), request));
  }

  notes(request: Request<"notes">): Answer<"notes"> {
    return this.#inTurn(() => notes(this.#queue(request.queue), request.id));
  }

  values(request: Request<"values">): Answer<"values"> {
    const changes = request.operations.some(({ kind }) => kind !== "get");
    return this.#inTurn(() => values(this.#mayChange(request, changes), request));
  }

  keys(request: Request<"keys">): Answer<"keys"> {
    return this.#inTurn(() => keys(this.#mayChange(request, request.kind !== "inspect"), request));
  }

  purge(request: Request<"purge">): Answer<"purge"> {
    return this.#inTurn(() => {
      // What has left may be let go.
      const flushed = request.everything === true && this.#queue(request.queue).phase === "left";
      return purge(this.#mayChange(request, !flushed), request);
    });
  }

  watch(queue: string, listener: Parameters<StorageContract["watch"]>[1]): () => void {
    return this.#queue(queue).hints.watch(listener);
  }

  take(request: Request<"take">): Answer<"take"> {
    return this.#inTurn(() => take(this.#move(request), request));
  }

  stats(request: Request<"stats">): Answer<"stats"> {
    return this.#inTurn(() => stats(this.#move(request), request));
  }

  events(request: Request<"events">): Answer<"events"> {
    return this.#inTurn(() => readFeed(this.#move(request), request));
  }

  export(request: Request<"export">): Answer<"export"> {
    return this.#inTurn(() => exportQueue(this.#move(request), request));
  }

  async phase({ queue }: Request<"phase">): Answer<"phase"> {
    return this.#queue(queue).phase;
  }

  import(request: Request<"import">): Answer<"import"> {
    return this.#inTurn(() => importQueue(this.#move(request), request));
  }

  /** At once, or once timers and sockets have had their turn, where calls have followed each other for long. */
  async #inTurn<T>(work: () => T): Promise<T> {
    if (this.#turn.isLong()) await this.#turn.next();
    return work();
  }

  #move({ queue, now }: About): Move {
    return { queue: this.#queue(queue), now: now ?? this.clock.now(), effects: [] };
  }

  /** For what is new. @throws `TASKQ_MOVED` */
  #admitted(request: About): Move {
    const move = this.#move(request);
    admit(move.queue);
    return move;
  }

  /** For what a queue does as long as something runs. @throws `TASKQ_MOVED` */
  #changing(request: About): Move {
    const move = this.#move(request);
    refuseStill(move.queue);
    return move;
  }

  #mayChange(request: About, changes: boolean): Move {
    return changes ? this.#changing(request) : this.#move(request);
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
}
