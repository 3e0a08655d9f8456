/** Plain jobs that are enqueued one by one in the same tick, stored like one call for all of them. */
import { TaskqError, type EnqueueAnswer, type EnqueueCollision, type NewFlow } from "@taskq/core/storage";
import { Collision, enqueue, enqueuePlain } from "./enqueue.js";
import { Move } from "./move.js";
import type { OpenQueue } from "./open-queue.js";
import type { TransactionScope } from "./transaction-scope.js";
import type { Writer } from "./writer.js";

type Answer = EnqueueAnswer | EnqueueCollision;

interface Waiting {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
}

interface Batch {
  readonly flows: NewFlow[];
  readonly waiting: Waiting[];
  now: number;
}

const NO_EFFECTS: EnqueueAnswer["effects"] = [];

export class TickBatches {
  private readonly writer: Writer;
  private readonly open = new Map<OpenQueue, Batch>();

  constructor(writer: Writer) {
    this.writer = writer;
  }

  /** Stores a flow that `isLoneFlow` says may be stored with others: what befalls them cannot befall it. */
  add(queue: OpenQueue, now: number, flow: NewFlow): Promise<Answer> {
    const batch = this.open.get(queue) ?? this.begin(queue, now);
    batch.now = Math.max(batch.now, now);
    batch.flows.push(flow);
    return new Promise((resolve, reject) => {
      batch.waiting.push({ resolve, reject });
    });
  }

  private begin(queue: OpenQueue, now: number): Batch {
    const batch: Batch = { flows: [], waiting: [], now };
    this.open.set(queue, batch);
    const close = (): void => {
      // Whoever comes from here on is for the next one.
      if (this.open.get(queue) === batch) this.open.delete(queue);
    };
    const stored = this.writer.group(
      (scope) => {
        close();
        return store(scope, queue, batch);
      },
      (scope) => {
        close();
        const [only] = batch.flows;
        return batch.flows.length === 1 && only !== undefined
          ? enqueuePlain(scope, queue, batch.now, only)
          : undefined;
      },
    );
    stored.then(
      ({ flows }) =>
        batch.waiting.forEach(({ resolve }, index) =>
          resolve({ flows: flows.slice(index, index + 1), effects: NO_EFFECTS }),
        ),
      (error: unknown) => this.failed(queue, batch, error),
    );
    return batch;
  }

  /** What befell one flow must not befall the others: each is stored by itself then. */
  private failed(queue: OpenQueue, batch: Batch, error: unknown): void {
    const { flows, waiting, now } = batch;
    const ofAll = flows.length === 1 || (error instanceof TaskqError && OF_ALL.has(error.code));
    for (const [index, { resolve, reject }] of waiting.entries()) {
      if (ofAll) settle(error, resolve, reject);
      else {
        const alone = { flows: flows.slice(index, index + 1), now };
        this.writer
          .group((scope) => store(scope, queue, alone))
          .then(resolve, (reason: unknown) => settle(reason, resolve, reject));
      }
    }
  }
}

/** Errors that trying again one by one would only repeat. */
const OF_ALL: ReadonlySet<string> = new Set(["TASKQ_BUSY", "TASKQ_CLOSED", "TASKQ_MOVED"]);

function settle(error: unknown, resolve: Waiting["resolve"], reject: Waiting["reject"]): void {
  if (error instanceof Collision) resolve({ collision: error.id });
  else reject(error);
}

function store(
  scope: TransactionScope,
  queue: OpenQueue,
  { flows, now }: Pick<Batch, "flows" | "now">,
): EnqueueAnswer {
  return enqueue(new Move(scope, queue, now), flows);
}
