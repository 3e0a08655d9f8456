import { LoopTurn, TaskqError, type OpenRequest, type StepAnswer, type WatchHint } from "@taskq/core/storage";
import { Checkpointer } from "./checkpoint.js";
import type { Connection } from "./connection.js";
import { isBusy, storageError } from "./failure.js";
import type { FileGuard } from "./file-guard.js";
import { loadDriver } from "./load-driver.js";
import { Move } from "./move.js";
import { findQueue, writeQueue, type OpenedQueue } from "./open.js";
import { openFile } from "./open-file.js";
import { OpenQueue } from "./open-queue.js";
import type { Settings } from "./options.js";
import { flushStats } from "./stats.js";
import { TickBatches } from "./tick-batch.js";
import type { TransactionScope } from "./transaction-scope.js";
import { FileWatch } from "./watch.js";
import { BUSY_LIMIT, busyError, pauseBeforeRetry, Writer } from "./writer.js";

/** What a storage holds while its file is open: the connection, the writer, the watch, and the queues. */
export class Session {
  readonly connection: Connection;
  readonly writer: Writer;
  readonly batches: TickBatches;
  readonly guard: FileGuard;
  readonly queues: Map<string, OpenQueue> = new Map();
  /** Whether who last asked for jobs, and had none to settle, found some: then so does most often the next, and a look before it is in vain. */
  findsJobs = false;
  private readonly files: FileWatch;
  private readonly checkpointer: Checkpointer;
  private readonly busyLimit: number;
  private readonly turn = new LoopTurn();
  private isClosed = false;

  private constructor(connection: Connection, guard: FileGuard, busyLimit: number, syncs: boolean) {
    this.connection = connection;
    this.guard = guard;
    this.busyLimit = busyLimit;
    this.checkpointer = new Checkpointer(connection, syncs);
    const committed = (rows: number): void => {
      this.checkpointer.committed(rows);
      this.files.wrote();
    };
    this.writer = new Writer({ connection, guard, committed, turn: this.turn, busyLimit });
    this.batches = new TickBatches(this.writer);
    this.files = new FileWatch({
      connection,
      changed: (hint) => this.tellAll(hint),
      look: () => guard.look(),
    });
  }

  /** @throws `TASKQ_STORAGE` `TASKQ_SCHEMA` `TASKQ_BUSY` */
  static async open(path: string, settings: Settings, busyLimit: number = BUSY_LIMIT): Promise<Session> {
    const { connection, guard } = await openFile(loadDriver(), path, settings, busyLimit);
    return new Session(connection, guard, busyLimit, mayRunAhead(settings));
  }

  /** Makes a queue ready for use. */
  async openQueue(request: OpenRequest): Promise<OpenedQueue["answer"]> {
    const found = await this.read((connection) => findQueue(connection, request));
    const opened = found ?? (await this.writer.now((scope) => writeQueue(scope, request)));
    this.keep(request, opened);
    return opened.answer;
  }

  /** A queue within a transaction that may have to make it first. */
  queueWithin(scope: TransactionScope, request: OpenRequest): OpenQueue {
    const known = this.queues.get(request.queue);
    if (known !== undefined) return known;
    const opened = findQueue(scope.connection, request) ?? writeQueue(scope, request);
    const queue = new OpenQueue(opened.id, request.queue, request.retention);
    // One that was made here may have been taken back, to a savepoint of the user's.
    scope.onCommit(() => {
      if (findQueue(scope.connection, request) !== undefined) this.queues.set(request.queue, queue);
    });
    return queue;
  }

  private keep({ queue, retention }: OpenRequest, { id }: OpenedQueue): void {
    const known = this.queues.get(queue);
    if (known === undefined) this.queues.set(queue, new OpenQueue(id, queue, retention));
    else known.retention = retention;
  }

  /** @throws `TASKQ_STORAGE` for one that is not open */
  queue(name: string): OpenQueue {
    const queue = this.queues.get(name);
    if (queue === undefined) throw new TaskqError("TASKQ_STORAGE", `the queue "${name}" is not open`);
    return queue;
  }

  /** One call's write, at once. */
  write<T>(queue: OpenQueue, now: number, work: (move: Move) => T): Promise<T> {
    return this.writer.now((scope) => work(new Move(scope, queue, now)));
  }

  /** The same where nobody is told that something was kept: the file is looked at behind it. */
  writeUnkept<T>(queue: OpenQueue, now: number, work: (move: Move) => T): Promise<T> {
    return this.writer.now((scope) => work(new Move(scope, queue, now)), true);
  }

  /** One call's write, together with others of this tick. */
  writeTogether<T>(queue: OpenQueue, now: number, work: (move: Move) => T): Promise<T> {
    return this.writer.group((scope) => work(new Move(scope, queue, now)));
  }

  /** A read; of what is waiting to be written it sees nothing. @throws `TASKQ_CLOSED` */
  async read<T>(work: (connection: Connection) => T): Promise<T> {
    if (this.turn.isLong()) await this.turn.next();
    for (const since = performance.now(); ;) {
      if (this.isClosed) throw closedError();
      try {
        this.guard.check();
        return work(this.connection);
      } catch (error) {
        if (!isBusy(error)) throw storageError(error, this.connection.path);
        if (performance.now() - since > this.busyLimit) {
          throw busyError(this.connection.path, this.busyLimit, error);
        }
      }
      await pauseBeforeRetry();
    }
  }

  watch(queue: OpenQueue, listener: (hint: WatchHint) => void): () => void {
    const own = (hint: WatchHint): void => listener(hint);
    queue.watchers.add(own);
    this.files.start();
    return () => {
      if (queue.watchers.delete(own)) this.files.stop();
    };
  }

  /** A claim was answered. */
  claimed({ claimed, more }: StepAnswer): void {
    if (claimed.length > 0) this.files.wasOfUse();
    this.files.claimed(more);
  }

  /** Somebody reads what he waits for. */
  lookedFor(): void {
    this.files.wasOfUse();
  }

  private tellAll(hint: WatchHint): void {
    for (const queue of this.queues.values()) queue.tell(hint);
  }

  private async flushStats(): Promise<void> {
    const queues = [...this.queues.values()].filter(({ stats }) => !stats.gathered.isEmpty);
    if (queues.length === 0) return;
    await this.writer.now((scope) => {
      for (const queue of queues) flushStats(new Move(scope, queue, queue.stats.lastAt));
    });
  }

  /** Writes what waits to be written, and lets go of the file. */
  async close(): Promise<void> {
    this.files.end();
    for (const queue of this.queues.values()) queue.watchers.clear();
    if (!this.writer.idle) await this.writer.now(() => {}).catch(() => {});
    await this.flushStats().catch(() => {});
    this.isClosed = true;
    this.writer.stop(closedError());
    this.checkpointer.stop();
    this.connection.close();
  }
}

/** Measured on Linux; elsewhere the same call may wait for far more than SQLite does. */
function mayRunAhead({ durability }: Settings): boolean {
  return durability === "normal" && process.platform === "linux";
}

function closedError(): TaskqError {
  return new TaskqError("TASKQ_CLOSED", "the storage is closed");
}
