import type { WatchHint } from "@taskq/core/storage";
import type { Connection } from "./connection.js";
import type { OpenQueue } from "./open-queue.js";

/** What happened to one queue in a transaction, for those who watch it. */
export class QueueHints {
  ready = false;
  control = false;
  readonly final: string[] = [];
}

/** One write transaction: what is to be done in memory once it is committed, and only then. */
export class TransactionScope {
  readonly connection: Connection;
  private readonly hints = new Map<OpenQueue, QueueHints>();
  private readonly commits: (() => void)[] = [];
  private readonly rollbacks: (() => void)[] = [];
  /** Queues whose phase was looked at. */
  readonly admitted: Set<OpenQueue> = new Set();
  /** Statistics of it are gathered once it is committed, and not written. */
  isGathered = false;

  constructor(connection: Connection) {
    this.connection = connection;
  }

  hintsOf(queue: OpenQueue): QueueHints {
    let hints = this.hints.get(queue);
    if (hints === undefined) {
      hints = new QueueHints();
      this.hints.set(queue, hints);
    }
    return hints;
  }

  onCommit(action: () => void): void {
    this.commits.push(action);
  }

  onRollback(action: () => void): void {
    this.rollbacks.push(action);
  }

  committed(): void {
    for (const action of this.commits) action();
    for (const [queue, hints] of this.hints) {
      if (queue.watchers.size > 0) tell(queue, hints);
    }
  }

  rolledBack(): void {
    for (const action of this.rollbacks) action();
  }
}

function tell(queue: OpenQueue, hints: QueueHints): void {
  if (hints.ready) queue.tell(READY_HINT);
  if (hints.control) queue.tell(CONTROL_HINT);
  if (hints.final.length > 0) queue.tell({ kind: "final", ids: hints.final });
}

const READY_HINT: WatchHint = { kind: "ready" };
const CONTROL_HINT: WatchHint = { kind: "control" };
