/** Plain jobs that are enqueued one by one in the same tick, stored like one call for all of them. */
import { TaskqError, type EnqueueAnswer, type EnqueueCollision, type NewFlow } from "@taskq/core/storage";
import { enqueue } from "./enqueue.js";
import { isOfFile } from "./failure.js";
import { Collision } from "./known-flow.js";
import { enqueuePlain } from "./plain-jobs.js";
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
  readonly queue: OpenQueue;
  readonly flows: NewFlow[];
  readonly waiting: Waiting[];
  now: number;
}

const NO_EFFECTS: EnqueueAnswer["effects"] = [];

export class TickBatches {
  private readonly writer: Writer;
  /** Those that still take more: one a queue, so one as a rule. */
  private open: Batch[] = [];
  /** Flows of the last transaction. */
  private lastSize = 1;

  constructor(writer: Writer) {
    this.writer = writer;
  }

  /** Stores a flow that `isLoneFlow` says may be stored with others: what befalls them cannot befall it. */
  add(queue: OpenQueue, now: number, flow: NewFlow): Promise<Answer> {
    // Most callers await one after the other: each is stored at once then. Where many come together, the first waits for
    // the others, as it did not know the first time: a transaction may have to wait for the disk.
    if (this.lastSize === 1) {
      const answer = this.writer.alone((scope) => enqueuePlain(scope, queue, now, flow));
      if (answer !== undefined) return Promise.resolve(answer);
    }
    return new Promise((resolve, reject) => {
      const batch = this.open.find((other) => other.queue === queue) ?? this.begin(queue, now);
      batch.now = Math.max(batch.now, now);
      batch.flows.push(flow);
      batch.waiting.push({ resolve, reject });
    });
  }

  private begin(queue: OpenQueue, now: number): Batch {
    const batch: Batch = { queue, flows: [], waiting: [], now };
    this.open.push(batch);
    this.writer.submit<EnqueueAnswer>({
      work: (scope) => store(scope, batch),
      alone: (scope) => storeAlone(scope, batch),
      tried: () => this.close(batch),
      resolve: (answer) => stored(batch, answer),
      reject: (error) => this.failed(batch, error),
    });
    return batch;
  }

  /** Whoever comes from here on is for the next one, also while this one waits for a busy file: his wait begins now. */
  private close(batch: Batch): void {
    const index = this.open.indexOf(batch);
    if (index === -1) return;
    this.open.splice(index, 1);
    this.lastSize = batch.flows.length;
  }

  /** What befell one flow must not befall the others: each is stored by itself then. */
  private failed({ queue, flows, waiting, now }: Batch, error: unknown): void {
    const ofAll =
      flows.length === 1 || isOfFile(error) || (error instanceof TaskqError && OF_ALL.has(error.code));
    for (const [index, { resolve, reject }] of waiting.entries()) {
      if (ofAll) settle(error, resolve, reject);
      else {
        const alone = { queue, flows: flows.slice(index, index + 1), now };
        this.writer
          .group((scope) => store(scope, alone))
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

function stored({ waiting }: Batch, answer: EnqueueAnswer): void {
  const [only] = waiting;
  if (waiting.length === 1) return only?.resolve(answer);
  for (const [index, { resolve }] of waiting.entries()) {
    resolve({ flows: answer.flows.slice(index, index + 1), effects: NO_EFFECTS });
  }
}

type Flows = Pick<Batch, "queue" | "flows" | "now">;

function store(scope: TransactionScope, { queue, flows, now }: Flows): EnqueueAnswer {
  return enqueue(new Move(scope, queue, now), flows);
}

/** By one statement, where that is all it takes. */
function storeAlone(scope: TransactionScope, { queue, flows, now }: Flows): EnqueueAnswer | undefined {
  const [only] = flows;
  return flows.length === 1 && only !== undefined ? enqueuePlain(scope, queue, now, only) : undefined;
}
