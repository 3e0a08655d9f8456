import { engineOf, preparedFlow, prepareNow, type PreparedFlow } from "@taskq/core/engine";
import type { EnqueueOptions, Job, PreparedJob, Queue, Result } from "@taskq/core";
import { TaskqError, type EnqueueAnswer, type StorageContract } from "@taskq/core/storage";
import type { SqliteTransaction } from "./api.js";
import type { Connection } from "./connection.js";
import { enqueue, enqueueFrom } from "./enqueue.js";
import { Collision } from "./known-flow.js";
import { isBusy, storageError } from "./failure.js";
import { Move } from "./move.js";
import type { OpenQueue } from "./open-queue.js";
import { keyById } from "./rows.js";
import type { Session } from "./session.js";
import { TransactionScope } from "./transaction-scope.js";
import { BUSY_LIMIT, busyError, pauseBeforeRetry } from "./writer.js";

/** Times that the work is begun again because a new id was taken. */
const MOST_COLLISIONS = 10;
/** How long the user's connection waits for a busy file; it blocks the event loop meanwhile. */
const BUSY_TIMEOUT = 5;

export interface Transacting {
  readonly storage: StorageContract;
  readonly session: Session;
  /** The user's connection; ours where there is none. */
  readonly user: Connection | undefined;
}

/** The savepoint that lasts as long as the transaction. */
const WITHIN = "taskq_transaction";

type Work = (tx: SqliteTransaction) => unknown;

/** Runs synchronous work within a write transaction; begun again while the file is busy. */
export async function runTransaction(transacting: Transacting, work: Work): Promise<unknown> {
  const connection = transacting.user ?? transacting.session.connection;
  const since = performance.now();
  for (let collisions = 0; ;) {
    try {
      return attempt(transacting, connection, work);
    } catch (error) {
      if (error instanceof Collision) {
        collisions += 1;
        if (collisions === MOST_COLLISIONS) throw takenError(error);
      } else if (!(error instanceof BusyFile)) throw error;
      else if (performance.now() - since > BUSY_LIMIT)
        throw busyError(connection.path, BUSY_LIMIT, error.cause);
    }
    await pauseBeforeRetry();
  }
}

/** The file was busy before the work began, or as it was to be committed. */
class BusyFile {
  readonly cause: unknown;
  constructor(cause: unknown) {
    this.cause = cause;
  }
}

function takenError({ id }: Collision): TaskqError {
  return new TaskqError("TASKQ_STORAGE", `the id ${id} of a prepared job is taken; prepare it again`);
}

function attempt(transacting: Transacting, connection: Connection, work: Work): unknown {
  transacting.session.guard.check();
  if (connection.driver.inTransaction) {
    throw new TaskqError(
      "TASKQ_STORAGE",
      "storage.transaction: expected a connection without a transaction, got one within a transaction of its own",
    );
  }
  begin(connection, transacting.user !== undefined);
  connection.sql(`SAVEPOINT ${WITHIN}`).run();
  const scope = new TransactionScope(connection);
  const tx = new Transaction(transacting, scope);
  try {
    const value = work(tx as SqliteTransaction);
    refusePromise(value);
    refuseEnded(connection);
    refuseAnother(connection);
    const takenBack = tx.forgetTakenBack();
    commit(connection);
    scope.committed();
    for (const queue of takenBack) queue.forgetWritten();
    const running = tx.committed();
    return running === undefined ? value : running.then(() => value);
  } catch (error) {
    if (connection.driver.inTransaction) connection.sql("ROLLBACK").run();
    scope.rolledBack();
    throw error;
  } finally {
    tx.end();
  }
}

function begin(connection: Connection, users: boolean): void {
  try {
    if (users) beginOnUsers(connection);
    else connection.sql("BEGIN IMMEDIATE").run();
  } catch (error) {
    if (isBusy(error)) throw new BusyFile(error);
    throw error instanceof TypeError ? refusedConnection(error) : storageError(error, connection.path);
  }
}

function beginOnUsers(connection: Connection): void {
  const before = busyTimeout(connection);
  setBusyTimeout(connection, BUSY_TIMEOUT);
  try {
    connection.sql("BEGIN IMMEDIATE").run();
  } finally {
    setBusyTimeout(connection, before);
  }
}

/** The driver says so of a closed connection, and of one that is in the middle of a query. */
function refusedConnection(cause: TypeError): TaskqError {
  return new TaskqError(
    "TASKQ_STORAGE",
    `storage.transaction: expected an open connection that runs no query, got a refusal: ${cause.message}`,
    { cause },
  );
}

function busyTimeout(connection: Connection): number {
  return (connection.sql("PRAGMA busy_timeout").get() as { timeout: number }).timeout;
}

function setBusyTimeout(connection: Connection, milliseconds: number): void {
  connection.driver.exec(`PRAGMA busy_timeout = ${milliseconds}`);
}

function commit(connection: Connection): void {
  try {
    connection.sql("COMMIT").run();
  } catch (error) {
    throw isBusy(error) ? new BusyFile(error) : storageError(error, connection.path);
  }
}

function refusePromise(value: unknown): void {
  if (typeof value !== "object" || value === null || !("then" in value) || typeof value.then !== "function")
    return;
  // Nobody waits for it: what it then says is not heard.
  (value as PromiseLike<unknown>).then(undefined, () => {});
  throw new TaskqError(
    "TASKQ_ASYNC_IN_TRANSACTION",
    "storage.transaction: expected synchronous work, got work that answers a promise; nothing of it is kept",
  );
}

/** What comes after it would be kept, whatever becomes of the rest. */
function refuseEnded(connection: Connection): void {
  if (!connection.driver.inTransaction) throw endedError("what the work wrote by itself since then is kept");
}

/** The work may have begun another one instead: that has not this savepoint. */
function refuseAnother(connection: Connection): void {
  try {
    connection.sql(`RELEASE ${WITHIN}`).run();
  } catch (cause) {
    throw endedError("what was written before a COMMIT is kept, what came after it is not", cause);
  }
}

function endedError(kept: string, cause?: unknown): TaskqError {
  return new TaskqError(
    "TASKQ_STORAGE",
    "storage.transaction: expected its transaction to last as long as the work, but a statement of the work has ended it " +
      `(COMMIT, ROLLBACK or ON CONFLICT ROLLBACK); ${kept}`,
    { cause },
  );
}

interface Done {
  readonly prepared: PreparedFlow;
  readonly answer: EnqueueAnswer;
  readonly queue: OpenQueue;
}

class Transaction {
  private readonly transacting: Transacting;
  private readonly scope: TransactionScope;
  private done: Done[] = [];
  private ended = false;

  constructor(transacting: Transacting, scope: TransactionScope) {
    this.transacting = transacting;
    this.scope = scope;
  }

  enqueue(first: PreparedJob<unknown> | Queue<string>, job?: Job, options?: EnqueueOptions): Result {
    if (this.ended) {
      throw new TaskqError(
        "TASKQ_CLOSED",
        "tx.enqueue: expected to be called within the work of its transaction, which is over",
      );
    }
    const ready =
      job === undefined
        ? (first as PreparedJob<unknown>)
        : prepareNow(engineOf(first as Queue<string>), job, options);
    return this.store(preparedFlow(ready));
  }

  private store(prepared: PreparedFlow): Result {
    refuseEnded(this.scope.connection);
    const { storage, session } = this.transacting;
    if (prepared.storage !== storage) {
      throw new TaskqError(
        "TASKQ_OPTION",
        "tx.enqueue: expected a job of a queue on this storage, got one on another",
      );
    }
    const done = this.write(prepared, prepared.now ?? storage.clock.now(), session);
    const [stored] = done.answer.flows;
    if (stored === undefined) throw new TaskqError("TASKQ_STORAGE", "a flow was not stored");
    this.done.push(done);
    return prepared.result(stored);
  }

  private write(prepared: PreparedFlow, now: number, session: Session): Done {
    try {
      const queue = session.queueWithin(this.scope, prepared.open);
      const move = new Move(this.scope, queue, now);
      const run = prepared.run();
      const flows = [prepared.flow];
      const answer = run === undefined ? enqueue(move, flows) : enqueueFrom(move, run, flows);
      return { prepared, answer, queue };
    } catch (error) {
      throw storageError(error, this.scope.connection.path);
    }
  }

  /** The work may have rolled back to a savepoint of its own: of what was enqueued since that, nobody is told. Answers in which queues. */
  forgetTakenBack(): ReadonlySet<OpenQueue> {
    const { connection } = this.scope;
    const takenBack = new Set<OpenQueue>();
    this.done = this.done.filter(({ answer, queue }) => {
      const [stored] = answer.flows;
      const isThere = stored?.status !== "stored" || keyById(connection, queue, stored.id) !== undefined;
      if (!isThere) takenBack.add(queue);
      return isThere;
    });
    return takenBack;
  }

  /** Sends the events. Answers what is executed now, of queues in immediate mode. */
  committed(): Promise<unknown> | undefined {
    const running = this.done.flatMap(({ prepared, answer }) => prepared.committed(answer) ?? []);
    return running.length === 0 ? undefined : Promise.all(running);
  }

  end(): void {
    this.ended = true;
  }
}
