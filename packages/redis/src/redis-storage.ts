/** The storage as core sees it: each call one script, or as many as it needs to do what an earlier call has left. */
import {
  TaskqError,
  type JobEffect,
  type KeysAnswer,
  type QueuePhase,
  type ReapedRun,
  type StorageAnswer as Answer,
  type StorageContract,
  type StorageRequest as Request,
  type StoredCounts,
  type TickAnswer,
  type ValueAnswer,
} from "@taskq/core/storage";
import { OpenQueue, type Asked, type Told } from "./open-queue.js";
import { enqueue, sendGathered } from "./enqueue.js";
import { Link } from "./link.js";
import { countsByTask, list } from "./listing.js";
import { events } from "./events.js";
import { exportQueue, importQueue } from "./moving.js";
import { always, SCRIPTS, type ScriptName } from "./lua/scripts.js";
import { checkUndivided } from "./partitions/division.js";
import { OpenAgain } from "./opening/open-again.js";
import { openPart, type OpenedPart } from "./opening/open-part.js";
import type { Settings } from "./options.js";
import { read } from "./read.js";
import { schedules } from "./schedules.js";
import { stats, writeStats } from "./stats.js";
import { BATCH } from "./tick-batch.js";
import { release, step } from "./step.js";
import { factOf, holderOf, noteOf, reapedOf, runOf, storedFlowOf, valueOf } from "./wire/answers.js";
import { listOf, numberIfAny } from "./wire/values.js";
import { flowRequest, runRequest } from "./wire/requests.js";

/** What `watch` is given beside the queue. */
export type Watching = Parameters<StorageContract["watch"]> extends [string, ...infer Rest] ? Rest : never;

/** Which partition a storage has of each queue, and the link that it shares with the others. */
export interface Partition {
  readonly number: number;
  readonly link: Link;
  /** Opens all partitions of a queue where the server has lost one. */
  readonly openAgain: (queue: string) => Promise<void>;
}

/** Of values: these are carried out also where there is no room for more. */
const REMOVALS: ReadonlySet<string> = new Set(["get", "take", "delete", "compare-and-delete"]);
const removing = always(SCRIPTS.values);

export class RedisStorage implements StorageContract, AsyncDisposable {
  readonly clock: StorageContract["clock"];
  readonly namespace: string;
  readonly description: string;
  readonly lanes = 2;
  readonly batchSize: number = BATCH;
  readonly travels = true;
  readonly #settings: Settings;
  readonly #link: Link;
  readonly #atOnce: number | undefined;
  readonly #queues = new Map<string, OpenQueue>();
  #closed = false;

  readonly #partition: Partition | undefined;
  readonly #again: OpenAgain;

  /**
   * @param atOnce rows that one script ends because of others; tests leave much to later ones
   * @param partition of queues that are spread over several; else it has them whole
   */
  constructor(settings: Settings, atOnce?: number, partition?: Partition) {
    this.#atOnce = atOnce;
    this.#partition = partition;
    this.#settings = settings;
    this.#link = partition?.link ?? new Link(settings);
    this.clock = this.#link.clock;
    this.namespace = settings.keyPrefix;
    this.description = this.#link.description;
    this.#again = new OpenAgain({
      open: async (asked) => [await this.openPart(asked)],
      lost: (queue) => this.#link.warnOfLoss(queue),
    });
  }

  async open(request: Request<"open">): Answer<"open"> {
    const opened = await this.openPart(request);
    this.#again.opened(request, [opened]);
    return { epoch: opened.epoch, phase: opened.phase };
  }

  /** The same, with what the contract does not ask for. */
  async openPart(request: Request<"open">, controls?: Buffer, partitions?: number): Promise<OpenedPart> {
    this.#refuseClosed();
    const { queue: name } = request;
    await this.#link.open(name);
    const queue = this.#queues.get(name) ?? this.#newQueue(name);
    const opened = await openPart(queue, request, controls, partitions);
    if (this.#partition === undefined) await checkUndivided(queue);
    this.#queues.set(name, queue);
    return opened;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    try {
      await Promise.all(Array.from(this.#queues.values(), (queue) => this.#closeQueue(queue)));
    } finally {
      if (this.#partition === undefined) await this.#link.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Makes no promise of its own: of many that are asked for in one tick, each would take its time. */
  enqueue(request: Request<"enqueue">): Answer<"enqueue"> {
    try {
      return enqueue(this.#queue(request.queue), request);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async step(request: Request<"step">): Answer<"step"> {
    return step(this.#queue(request.queue), request);
  }

  async renew(request: Request<"renew">): Answer<"renew"> {
    const { answer } = await this.#ask("renew", request, { runs: request.runs.map(runRequest) });
    return {
      leaseUntil: answer["leaseUntil"] as number,
      lost: listOf(answer["lost"], runOf),
      revoked: listOf(answer["revoked"], runOf),
    };
  }

  async reap(request: Request<"reap">): Answer<"reap"> {
    const queue = this.#queue(request.queue);
    const reaped: ReapedRun[] = [];
    const effects: JobEffect[] = [];
    let nextAt: number | undefined;
    // How many of those that one script looks at were looked at before.
    for (let from: number | undefined = 0; from !== undefined;) {
      const random = Math.floor(Math.random() * 2 ** 31);
      const more = { random, from, limit: request.limit - reaped.length };
      const told = await queue.ask(SCRIPTS.reap, request, () => ({
        ...more,
        connectedFor: queue.connectedFor,
      }));
      reaped.push(...listOf(told.answer["reaped"], reapedOf));
      effects.push(...told.effects);
      const at = numberIfAny(told.answer["nextAt"]);
      if (at !== undefined) nextAt = Math.min(nextAt ?? at, at);
      // More follows from what was reaped than one script may do.
      if (told.answer["part"] === true) {
        effects.push(...(await queue.catchUp(request.now)));
        [from, nextAt] = [0, undefined];
      } else from = reaped.length < request.limit ? numberIfAny(told.answer["from"]) : undefined;
    }
    return { reaped, effects, nextAt };
  }

  async amend(request: Request<"amend">): Answer<"amend"> {
    return this.#queue(request.queue).amend(request);
  }

  async control(request: Request<"control">): Answer<"control"> {
    const { answer } = await this.#ask("control", request);
    return {
      changed: answer["changed"] === true,
      paused: answer["paused"] === true,
      revoked: answer["revoked"] === true,
    };
  }

  async tick(request: Request<"tick">): Answer<"tick"> {
    const { answer, effects } = await this.#ask("tick", request, { flows: request.flows.map(flowRequest) });
    const { now, at, previous } = request;
    const isEarly = answer["status"] === "stale" && answer["lastAt"] === previous && at > previous;
    if (isEarly && now === undefined) this.#queue(request.queue).sawComing(at);
    return {
      status: answer["status"] as TickAnswer["status"],
      lastAt: numberIfAny(answer["lastAt"]),
      flows: listOf(answer["flows"], storedFlowOf),
      skipped: numberIfAny(answer["skipped"]),
      effects,
    };
  }

  async schedules(request: Request<"schedules">): Answer<"schedules"> {
    return schedules(this.#queue(request.queue), request);
  }

  async read(request: Request<"read">): Answer<"read"> {
    return read(this.#queue(request.queue), request);
  }

  async list(request: Request<"list">): Answer<"list"> {
    return list(this.#queue(request.queue), request);
  }

  async explain(request: Request<"explain">): Answer<"explain"> {
    const { answer } = await this.#ask("explain", request);
    return listOf(answer["facts"], factOf);
  }

  async counts(request: Request<"counts">): Answer<"counts"> {
    if (request.by === "task") return countsByTask(this.#queue(request.queue), request);
    const { answer } = await this.#ask("counts", request);
    return { "*": answer["counts"] as unknown as StoredCounts };
  }

  async note({ run, ...request }: Request<"note">): Answer<"note"> {
    const { answer } = await this.#ask("note", request, run);
    return answer["kept"] === true;
  }

  async notes(request: Request<"notes">): Answer<"notes"> {
    const { answer } = await this.#ask("notes", request);
    return listOf(answer["lines"], noteOf);
  }

  async values(request: Request<"values">): Answer<"values"> {
    const removes = request.operations.every(({ kind }) => REMOVALS.has(kind));
    const script = removes ? removing : SCRIPTS.values;
    const queue = this.#queue(request.queue);
    const answers: ValueAnswer[] = [];
    do {
      const operations = request.operations.slice(answers.length);
      const { answer } = await queue.ask(script, request, { operations });
      answers.push(...listOf(answer["answers"], valueOf));
      // Of values that are large together, each script reads some.
    } while (answers.length < request.operations.length);
    return answers;
  }

  async keys(request: Request<"keys">): Answer<"keys"> {
    const { answer } = await this.#ask("keys", request);
    return {
      status: answer["status"] as KeysAnswer["status"],
      fence: numberIfAny(answer["fence"]),
      expiresAt: numberIfAny(answer["expiresAt"]),
      holders: listOf(answer["holders"], holderOf),
    };
  }

  async take(request: Request<"take">): Answer<"take"> {
    const { answer } = await this.#ask("take", request);
    const opensAt = numberIfAny(answer["opensAt"]);
    if (request.now === undefined) this.#queue(request.queue).sawComing(opensAt);
    return { taken: answer["taken"] === true, opensAt };
  }

  watch(queue: string, ...watching: Watching): () => void {
    return this.#queue(queue).watch(...watching);
  }

  hears(queue: string): boolean {
    return this.#queues.get(queue)?.hears === true;
  }

  async stats(request: Request<"stats">): Answer<"stats"> {
    return stats(this.#queue(request.queue), request);
  }

  async events(request: Request<"events">): Answer<"events"> {
    return events(this.#queue(request.queue), request);
  }

  async phase(request: Request<"phase">): Answer<"phase"> {
    const { answer } = await this.#ask("phase", request);
    return answer["phase"] as QueuePhase;
  }

  async export(request: Request<"export">): Answer<"export"> {
    return exportQueue(this.#queue(request.queue), request);
  }

  async import(request: Request<"import">): Answer<"import"> {
    return importQueue(this.#queue(request.queue), request);
  }

  async purge(request: Request<"purge">): Answer<"purge"> {
    const { answer } = await this.#ask("purge", request);
    return { removed: answer["removed"] as number, more: answer["more"] === true };
  }

  async #ask(name: ScriptName, request: Asked, more?: object): Promise<Told> {
    return this.#queue(request.queue).ask(SCRIPTS[name], request, more);
  }

  /** One that is open, for whoever puts several partitions together. @throws `TASKQ_STORAGE` `TASKQ_CLOSED` */
  opened(name: string): OpenQueue {
    return this.#queue(name);
  }

  #newQueue(name: string): OpenQueue {
    const openAgain = (): Promise<void> => this.#partition?.openAgain(name) ?? this.#again.again(name);
    const queue: OpenQueue = new OpenQueue(name, this.#link, this.#settings, {
      atOnce: this.#atOnce,
      partition: this.#partition?.number,
      openAgain,
      release: (owner, run) => release(queue, owner, run),
    });
    return queue;
  }

  /** Statistics that cannot be written are lost: nobody waits for a server that is away. */
  async #closeQueue(queue: OpenQueue): Promise<void> {
    queue.close();
    sendGathered(queue);
    if (!this.#link.isConnected) return;
    try {
      await writeStats(queue);
    } catch (error) {
      if (!(error instanceof TaskqError)) throw error;
    }
  }

  #queue(name: string): OpenQueue {
    this.#refuseClosed();
    const queue = this.#queues.get(name);
    if (queue === undefined) throw new TaskqError("TASKQ_STORAGE", `the queue "${name}" is not open`);
    return queue;
  }

  #refuseClosed(): void {
    if (this.#closed) throw new TaskqError("TASKQ_CLOSED", "the storage is closed");
  }
}
