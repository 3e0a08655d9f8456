import { resolve } from "node:path";
import { callable, systemClock } from "@taskq/core/engine";
import {
  TaskqError,
  type StepAnswer,
  type StorageAnswer as Answer,
  type StorageContract,
  type StorageRequest as Request,
} from "@taskq/core/storage";
import { amend } from "./amend.js";
import type { SqliteStorage, SqliteTransaction } from "./api.js";
import { control } from "./control.js";
import { countJobs } from "./counts.js";
import { enqueue, enqueueFrom } from "./enqueue.js";
import { collisionOf } from "./known-flow.js";
import { isLoneFlow } from "./plain-jobs.js";
import { explain } from "./explain.js";
import { exportQueue, isReading, readExport } from "./export.js";
import { followFeed, readFeed } from "./feed-reading.js";
import { idleAnswer } from "./idle.js";
import { importQueue } from "./import.js";
import { inspectKey, keys } from "./keys.js";
import { list } from "./list.js";
import { LEFT, phaseName, phaseOf, refuseStill } from "./moving.js";
import type { Move } from "./move.js";
import { note, notes } from "./note.js";
import type { OpenQueue } from "./open-queue.js";
import { oldestByTask } from "./oldest-by-task.js";
import { settingsOf, type Settings, type SqliteOptions } from "./options.js";
import { purge } from "./purge.js";
import { readId } from "./read.js";
import { idleReap, reap } from "./reap.js";
import { renew } from "./renew.js";
import { changeSchedule, isUnchanged, listSchedules } from "./schedules.js";
import { currentSeldom } from "./seldom.js";
import { Session } from "./session.js";
import { readStats } from "./stats-reading.js";
import { step } from "./step.js";
import { take, takeRead } from "./take.js";
import { tick } from "./tick.js";
import { runTransaction } from "./transaction.js";
import { pathOfDatabase, userConnection } from "./user-database.js";
import { changeValues, onlyReads, readValues } from "./values.js";
import type { Connection, Reader } from "./connection.js";

/**
 * Keeps queues in a SQLite file, for any number of processes of one machine: in a file of its own, or in yours, beside
 * your tables. The file is opened at the first use, and closed with the last queue.
 *
 * A power cut may lose the last moments, never half a job; with `durability: 'full'` it loses nothing.
 *
 * @throws `TASKQ_OPTION`
 * @example
 * const queue = createQueue({ storage: sqliteStorage({ path: 'jobs.db' }), tasks: { add } });
 */
export function sqliteStorage(options: SqliteOptions): SqliteStorage {
  // Opaque to users; what it can do is for core.
  return new SqliteStore(options) as unknown as SqliteStorage;
}

interface Target {
  readonly session: Session;
  readonly queue: OpenQueue;
  readonly now: number;
}

class SqliteStore implements StorageContract, AsyncDisposable {
  readonly clock: StorageContract["clock"] = systemClock;
  readonly namespace: string;
  readonly description: string;
  readonly #settings: Settings;
  readonly #path: string;
  readonly #user: Connection | undefined;
  #opening: Promise<Session> | undefined;
  #session: Session | undefined;
  #closed = false;

  constructor(options: SqliteOptions) {
    this.#settings = settingsOf(options);
    const { database, path, tablePrefix } = this.#settings;
    this.#path = database === undefined ? resolve(path ?? "") : pathOfDatabase(database);
    this.#user = database === undefined ? undefined : userConnection(database, this.#path, tablePrefix);
    this.namespace = tablePrefix;
    this.description = `sqlite ${this.#path}`;
  }

  async open(request: Request<"open">): Answer<"open"> {
    return (await this.#open()).openQueue(request);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const session = await this.#opening?.catch(() => undefined);
    await session?.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  enqueue(request: Request<"enqueue">): Answer<"enqueue"> {
    try {
      const { session, queue, now } = this.#target(request);
      const { run, flows } = request;
      if (run !== undefined)
        return session.write(queue, now, (move) => enqueueFrom(move, run, flows)).catch(collisionOf);
      const [flow] = flows;
      if (flow !== undefined && isLoneFlow(flows)) return session.batches.add(queue, now, flow);
      return session
        .writeTogether(queue, now, (move) => enqueue(move, flows))
        .catch((error: unknown) => collisionOf(error));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async step(request: Request<"step">): Answer<"step"> {
    const { session, queue, now } = this.#target(request);
    const onlyAsks = request.settled.length === 0 && session.writer.idle;
    const answer =
      onlyAsks && !session.findsJobs
        ? await session.read((connection) => idleAnswer(connection, queue, request, now))
        : undefined;
    const work = (move: Move): StepAnswer => step(move, request);
    const given =
      answer ?? (await (onlyAsks ? session.writeUnkept(queue, now, work) : session.write(queue, now, work)));
    if (request.claim !== undefined) {
      if (onlyAsks) session.findsJobs = given.claimed.length > 0;
      session.claimed(given);
    }
    return given;
  }

  async renew(request: Request<"renew">): Answer<"renew"> {
    const { session, queue, now } = this.#target(request);
    return session.write(queue, now, (move) => renew(move, request));
  }

  async reap(request: Request<"reap">): Answer<"reap"> {
    const { session, queue, now } = this.#target(request);
    const idle = await session.read((connection) => idleReap(connection, queue, now));
    return idle ?? session.write(queue, now, (move) => reap(move, request));
  }

  async amend(request: Request<"amend">): Answer<"amend"> {
    const { session, queue, now } = this.#target(request);
    return session.write(queue, now, (move) => {
      refuseStill(move);
      return amend(move, request);
    });
  }

  async control(request: Request<"control">): Answer<"control"> {
    const { session, queue, now } = this.#target(request);
    return session.write(queue, now, (move) => control(move, request));
  }

  async tick(request: Request<"tick">): Answer<"tick"> {
    const { session, queue, now } = this.#target(request);
    return session.write(queue, now, (move) => tick(move, request));
  }

  async schedules({ change, name = change?.name, ...request }: Request<"schedules">): Answer<"schedules"> {
    const { session, queue, now } = this.#target(request);
    const idle = await session.read((connection) =>
      change === undefined || isUnchanged(connection, queue, change)
        ? listSchedules(connection, queue, name)
        : undefined,
    );
    if (idle !== undefined || change === undefined) return { changed: false, schedules: idle ?? [] };
    return session.write(queue, now, (move) => {
      refuseStill(move);
      return changeSchedule(move, change);
    });
  }

  async read(request: Request<"read">): Answer<"read"> {
    const { session, queue } = this.#target(request);
    session.lookedFor();
    return session.read((connection) =>
      request.ids.map((id) => readId(connection, queue, id, request.whole === true)),
    );
  }

  async list(request: Request<"list">): Answer<"list"> {
    const { session, queue } = this.#target(request);
    return list((work) => session.read(work), queue, request);
  }

  async explain(request: Request<"explain">): Answer<"explain"> {
    const { session, queue, now } = this.#target(request);
    return session.read((connection) => {
      const seldom = currentSeldom(connection, queue);
      return explain({ connection, queue, now, seldom, tasks: request.tasks }, request.ids);
    });
  }

  async counts(request: Request<"counts">): Answer<"counts"> {
    const { session, queue } = this.#target(request);
    return countJobs((work) => session.read(work), queue, request.by);
  }

  async note(request: Request<"note">): Answer<"note"> {
    const { session, queue, now } = this.#target(request);
    return session.writeTogether(queue, now, (move) => note(move, request));
  }

  async notes(request: Request<"notes">): Answer<"notes"> {
    const { session, queue } = this.#target(request);
    return session.read((connection) => notes(connection, queue, request.id));
  }

  async values(request: Request<"values">): Answer<"values"> {
    const { session, queue, now } = this.#target(request);
    if (onlyReads(request)) {
      return session.read((connection) => readValues(connection, queue, request, now));
    }
    return session.writeTogether(queue, now, (move) => {
      refuseStill(move);
      return changeValues(move, request);
    });
  }

  async keys(request: Request<"keys">): Answer<"keys"> {
    const { session, queue, now } = this.#target(request);
    if (request.kind === "inspect") {
      return session.read((connection) => inspectKey(connection, queue, request.name, now));
    }
    return session.write(queue, now, (move) => {
      refuseStill(move);
      return keys(move, request);
    });
  }

  async purge(request: Request<"purge">): Answer<"purge"> {
    const { session, queue, now } = this.#target(request);
    return session.write(queue, now, (move) => {
      // What has left may be let go.
      if (request.everything !== true || phaseOf(move) !== LEFT) refuseStill(move);
      return purge(move, request);
    });
  }

  watch(name: string, listener: Parameters<StorageContract["watch"]>[1]): () => void {
    const { session, queue } = this.#target({ queue: name });
    return session.watch(queue, listener);
  }

  /** Your writes and our enqueues, both or neither. */
  async transaction<T>(work: (tx: SqliteTransaction) => T): Promise<T> {
    callable(work, "storage.transaction");
    const session = await this.#open();
    return (await runTransaction({ storage: this, session, user: this.#user }, work)) as T;
  }

  async take(request: Request<"take">): Answer<"take"> {
    const { session, queue, now } = this.#target(request);
    const read = await session.read((connection) =>
      takeRead({ queue, now, raw: (text) => connection.raw(text) }, request),
    );
    return read ?? session.write(queue, now, (move) => take(move, request));
  }

  async stats(request: Request<"stats">): Answer<"stats"> {
    const { session, queue, now } = this.#target(request);
    const read: Reader = (work) => session.read(work);
    const answer = await readStats(read, queue, request.since, now);
    return request.byTask === true
      ? { ...answer, oldestDueByTask: await oldestByTask(read, queue, now) }
      : answer;
  }

  async events(request: Request<"events">): Answer<"events"> {
    const { session, queue, now } = this.#target(request);
    session.lookedFor();
    const read = await session.read((connection) => readFeed(connection, queue, request, now));
    return read ?? session.write(queue, now, (move) => followFeed(move, request));
  }

  async export(request: Request<"export">): Answer<"export"> {
    const { session, queue, now } = this.#target(request);
    if (isReading(request)) {
      return session.read((connection) => readExport(connection, queue, request, now));
    }
    return session.write(queue, now, (move) => exportQueue(move, request));
  }

  async phase(request: Request<"phase">): Answer<"phase"> {
    const { session, queue } = this.#target(request);
    return session.read((connection) => phaseName(phaseOf({ queue, raw: (text) => connection.raw(text) })));
  }

  async import(request: Request<"import">): Answer<"import"> {
    const { session, queue, now } = this.#target(request);
    return session.write(queue, now, (move) => importQueue(move, request));
  }

  async #open(): Promise<Session> {
    this.#refuseClosed();
    this.#opening ??= Session.open(this.#path, this.#settings);
    try {
      this.#session = await this.#opening;
    } catch (error) {
      this.#opening = undefined;
      throw error;
    }
    this.#refuseClosed();
    return this.#session;
  }

  #target({ queue, now }: { readonly queue: string; readonly now?: number | undefined }): Target {
    this.#refuseClosed();
    const session = this.#session;
    if (session === undefined) throw new TaskqError("TASKQ_STORAGE", `the queue "${queue}" is not open`);
    return { session, queue: session.queue(queue), now: now ?? this.clock.now() };
  }

  #refuseClosed(): void {
    if (this.#closed) throw new TaskqError("TASKQ_CLOSED", "the storage is closed");
  }
}
