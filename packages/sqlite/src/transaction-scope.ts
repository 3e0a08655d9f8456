import type { WatchHint } from "@taskq/core/storage";
import type { Connection } from "./connection.js";
import type { OpenQueue } from "./open-queue.js";

/** What happened to one queue in a transaction, for those who watch it. */
export class QueueHints {
  readonly queue: OpenQueue;
  ready = false;
  control = false;
  readonly final: string[] = [];

  constructor(queue: OpenQueue) {
    this.queue = queue;
  }
}

/**
 * One write transaction: what is to be done in memory once it is committed, and only then. Most have to do with one
 * queue, and many with one row: what a transaction does not need is not made.
 */
export class TransactionScope {
  readonly connection: Connection;
  /** Statistics are gathered once it is committed, and not written. */
  isGathered = false;
  /** Rows of jobs that were written, about. */
  rows = 0;
  private hints: QueueHints[] | undefined;
  private commits: (() => void)[] | undefined;
  private rollbacks: (() => void)[] | undefined;
  private admitted: OpenQueue[] | undefined;

  constructor(connection: Connection) {
    this.connection = connection;
  }

  hintsOf(queue: OpenQueue): QueueHints {
    const known = this.hints?.find((hints) => hints.queue === queue);
    if (known !== undefined) return known;
    const made = new QueueHints(queue);
    (this.hints ??= []).push(made);
    return made;
  }

  /** Whether the queue's phase was looked at, and lets in what is new. */
  hasAdmitted(queue: OpenQueue): boolean {
    return this.admitted?.includes(queue) === true;
  }

  admit(queue: OpenQueue): void {
    (this.admitted ??= []).push(queue);
  }

  onCommit(action: () => void): void {
    (this.commits ??= []).push(action);
  }

  onRollback(action: () => void): void {
    (this.rollbacks ??= []).push(action);
  }

  committed(): void {
    if (this.commits !== undefined) for (const action of this.commits) action();
    if (this.hints === undefined) return;
    for (const hints of this.hints) {
      if (hints.queue.watchers.size > 0) tell(hints);
    }
  }

  rolledBack(): void {
    if (this.rollbacks !== undefined) for (const action of this.rollbacks) action();
  }
}

function tell({ queue, ready, control, final }: QueueHints): void {
  if (ready) queue.tell(READY_HINT);
  if (control) queue.tell(CONTROL_HINT);
  if (final.length > 0) queue.tell({ kind: "final", ids: final });
}

const READY_HINT: WatchHint = { kind: "ready" };
const CONTROL_HINT: WatchHint = { kind: "control" };
