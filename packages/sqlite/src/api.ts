import type {
  EnqueueOptions,
  Job,
  NamesOf,
  PreparedJob,
  Queue,
  Registered,
  Result,
  Storage,
  Yield,
} from "@taskq/core";

/** A storage in a SQLite file. */
export interface SqliteStorage extends Storage {
  /**
   * Your writes and our enqueues, both or neither: runs the work within a write transaction of your connection, or of
   * ours where the storage was given a path. What the work throws undoes all of it, and is passed on.
   *
   * `work` is synchronous; it is begun again if the file was busy. It must not end the transaction itself: after a
   * `COMMIT` or `ROLLBACK` in it, also by `ON CONFLICT ROLLBACK`, nothing more is enqueued and the call rejects, but what
   * it writes by itself from then on is kept. A savepoint of yours that you roll back takes along what was enqueued
   * within it, and nobody is told of that.
   *
   * @throws `TASKQ_BUSY` `TASKQ_ASYNC_IN_TRANSACTION` `TASKQ_STORAGE`
   * @example
   * const ready = await queue.prepare(sendReceipt.job({ order: 7 }));
   * await storage.transaction((tx) => {
   *   database.prepare('INSERT INTO orders (id) VALUES (?)').run(7);
   *   tx.enqueue(ready);
   * });
   */
  transaction<T>(work: (tx: SqliteTransaction) => T & Synchronous<T>): Promise<T>;
}

/** What may be enqueued within a transaction. */
export interface SqliteTransaction {
  /** A job that was prepared before. */
  enqueue<Output>(ready: PreparedJob<Output>): Result<Output>;
  /** @throws `TASKQ_ASYNC_IN_TRANSACTION` where the schema or a middleware is not synchronous. */
  enqueue<J extends Job, Names extends string>(
    queue: Queue<Names>,
    job: J & Registered<NamesOf<J>, Names>,
    options?: EnqueueOptions,
  ): Result<Yield<J>>;
}

/** Refuses, in the types, work that answers a promise. */
export type Synchronous<T> =
  T extends PromiseLike<unknown> ? "the work of a transaction is synchronous: no async, no promise" : unknown;
