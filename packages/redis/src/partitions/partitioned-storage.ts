/** The contract for queues in several partitions: each partition is a storage of its own, and this is what holds them together. */
import {
  TaskqError,
  type StorageAnswer as Answer,
  type StorageContract,
  type StorageRequest as Request,
} from "@taskq/core/storage";
import { Link } from "../link.js";
import { OpenQueue } from "../open-queue.js";
import { OpenAgain } from "../opening/open-again.js";
import type { OpenedPart } from "../opening/open-part.js";
import type { Settings } from "../options.js";
import { RedisStorage, type Watching } from "../redis-storage.js";
import * as byId from "./by-id.js";
import { controlsOf } from "./controls.js";
import { checkDivided } from "./division.js";
import { within } from "./deadline.js";
import { DividedQueue } from "./divided-queue.js";
import { enqueue } from "./enqueue.js";
import { events, keepGathered } from "./events.js";
import { exportQueue } from "./export.js";
import { importQueue } from "./import.js";
import { list } from "./listing.js";
import { HOME } from "./place.js";
import * as wide from "./queue-wide.js";
import { step } from "./step.js";

/** Milliseconds between two looks of a process at how much is kept, and at events that are to be gathered. */
const TIDY_PAUSE = 10_000;
/** Jobs that such a look removes, at most. */
const TRIMMED = 500;

/** See `apps/docs/decisions/redis-partitions.md`: what lies where, and what does not hold across partitions. */
export class PartitionedStorage implements StorageContract, AsyncDisposable {
  readonly clock: StorageContract["clock"];
  readonly namespace: string;
  readonly description: string;
  readonly travels = true;
  readonly #settings: Settings;
  readonly #link: Link;
  readonly #parts: readonly RedisStorage[];
  readonly #queues = new Map<string, DividedQueue>();
  readonly #again: OpenAgain;
  #tidiedAt: number = performance.now();
  #closed = false;

  /** @param atOnce rows that one script ends because of others; of tests */
  constructor(settings: Settings, atOnce?: number) {
    this.#settings = settings;
    this.#link = new Link(settings);
    this.clock = this.#link.clock;
    const { partitions } = settings;
    const openAgain = (queue: string): Promise<void> => this.#again.again(queue);
    this.#parts = Array.from(
      { length: partitions },
      (_, number) => new RedisStorage(settings, atOnce, { number, link: this.#link, openAgain }),
    );
    this.#again = new OpenAgain({
      open: (asked) => this.#open(asked),
      lost: (queue, numbers) => this.#link.warnOfLoss(queue, { lost: numbers, of: partitions }),
    });
    this.namespace = settings.keyPrefix;
    this.description = `${this.#link.description} (${partitions} partitions)`;
  }

  /** @throws `TASKQ_OPTION` for a queue that was made with another number of partitions */
  async open(request: Request<"open">): Answer<"open"> {
    const parts = await this.#open(request);
    this.#again.opened(request, parts);
    const [{ phase }] = parts;
    return { epoch: Math.max(...parts.map(({ epoch }) => epoch)), phase };
  }

  async #open(request: Request<"open">): Promise<readonly [OpenedPart, ...OpenedPart[]]> {
    this.#refuseClosed();
    const { queue } = request;
    await this.#link.open(queue);
    const { partitions } = this.#settings;
    await checkDivided(new OpenQueue(queue, this.#link, this.#settings), partitions);
    const asked = this.#parts.map(
      (_, partition) => new OpenQueue(queue, this.#link, this.#settings, { partition }),
    );
    const controls = await controlsOf(asked);
    // The home partition first: what another process asks of the others comes after.
    const home = await this.#part(HOME).openPart(request, controls, partitions);
    const others = await Promise.all(this.#parts.slice(1).map((part) => part.openPart(request, controls)));
    if (!this.#queues.has(queue))
      this.#queues.set(queue, new DividedQueue(queue, this.#parts, this.#settings.timeout));
    return [home, ...others];
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    try {
      await Promise.all(this.#parts.map((part) => part.close()));
    } finally {
      await this.#link.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async enqueue(request: Request<"enqueue">): Answer<"enqueue"> {
    return this.#within("enqueue", enqueue(this.#queue(request.queue), request));
  }

  async step(request: Request<"step">): Answer<"step"> {
    return this.#within("step", step(this.#queue(request.queue), request));
  }

  async renew(request: Request<"renew">): Answer<"renew"> {
    return this.#within("renew", wide.renew(this.#queue(request.queue), request));
  }

  async reap(request: Request<"reap">): Answer<"reap"> {
    const queue = this.#queue(request.queue);
    const answer = await wide.reap(queue, request);
    if (performance.now() - this.#tidiedAt >= TIDY_PAUSE) {
      this.#tidiedAt = performance.now();
      await this.#tidy(queue, request.now);
    }
    return answer;
  }

  async amend(request: Request<"amend">): Answer<"amend"> {
    return this.#within("amend", byId.amend(this.#queue(request.queue), request));
  }

  async control(request: Request<"control">): Answer<"control"> {
    return this.#within("control", wide.control(this.#queue(request.queue), request));
  }

  async tick(request: Request<"tick">): Answer<"tick"> {
    return this.#queue(request.queue).home.tick(request);
  }

  async schedules(request: Request<"schedules">): Answer<"schedules"> {
    return this.#queue(request.queue).home.schedules(request);
  }

  async read(request: Request<"read">): Answer<"read"> {
    return this.#within("read", byId.read(this.#queue(request.queue), request));
  }

  async list(request: Request<"list">): Answer<"list"> {
    return list(this.#queue(request.queue), request);
  }

  async explain(request: Request<"explain">): Answer<"explain"> {
    return this.#within("explain", byId.explain(this.#queue(request.queue), request));
  }

  async counts(request: Request<"counts">): Answer<"counts"> {
    return wide.counts(this.#queue(request.queue), request);
  }

  async note(request: Request<"note">): Answer<"note"> {
    return this.#within("note", byId.note(this.#queue(request.queue), request));
  }

  async notes(request: Request<"notes">): Answer<"notes"> {
    return this.#within("notes", byId.notes(this.#queue(request.queue), request));
  }

  async values(request: Request<"values">): Answer<"values"> {
    return this.#queue(request.queue).home.values(request);
  }

  async keys(request: Request<"keys">): Answer<"keys"> {
    return this.#queue(request.queue).home.keys(request);
  }

  async take(request: Request<"take">): Answer<"take"> {
    return this.#queue(request.queue).home.take(request);
  }

  watch(queue: string, ...watching: Watching): () => void {
    const stops = this.#queue(queue).parts.map((part) => part.watch(queue, ...watching));
    return () => {
      for (const stop of stops) stop();
    };
  }

  async stats(request: Request<"stats">): Answer<"stats"> {
    return wide.stats(this.#queue(request.queue), request);
  }

  async events(request: Request<"events">): Answer<"events"> {
    return this.#within("events", events(this.#queue(request.queue), request));
  }

  async phase(request: Request<"phase">): Answer<"phase"> {
    return this.#queue(request.queue).home.phase(request);
  }

  async export(request: Request<"export">): Answer<"export"> {
    return exportQueue(this.#queue(request.queue), request);
  }

  async import(request: Request<"import">): Answer<"import"> {
    return importQueue(this.#queue(request.queue), request);
  }

  async purge(request: Request<"purge">): Answer<"purge"> {
    return wide.purge(this.#queue(request.queue), request);
  }

  #within<Told>(what: string, call: Promise<Told>): Promise<Told> {
    return within(this.#settings.timeout, `${what} in several partitions`, call);
  }

  /** A reap does not fail because of it: there is a next one. */
  async #tidy(queue: DividedQueue, now: number | undefined): Promise<void> {
    try {
      await wide.trimAll(queue, now, TRIMMED);
      await keepGathered(queue, now);
    } catch (error) {
      if (!(error instanceof TaskqError)) throw error;
    }
  }

  #part(number: number): RedisStorage {
    return this.#parts[number] as RedisStorage;
  }

  #queue(name: string): DividedQueue {
    this.#refuseClosed();
    const queue = this.#queues.get(name);
    if (queue === undefined) throw new TaskqError("TASKQ_STORAGE", `the queue "${name}" is not open`);
    return queue;
  }

  #refuseClosed(): void {
    if (this.#closed) throw new TaskqError("TASKQ_CLOSED", "the storage is closed");
  }
}
