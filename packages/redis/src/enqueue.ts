/** Storing flows. Jobs that belong to nothing go a shorter way, those of one tick together. */
import type {
  EnqueueAnswer,
  EnqueueCollision,
  EnqueueRequest,
  NewFlow,
  StoredFlow,
  TaskqError,
} from "@taskq/core/storage";
import type { Receiver } from "./connection/call.js";
import type { Reply } from "./connection/client.js";
import { SCRIPTS } from "./lua/scripts.js";
import type { OpenQueue } from "./open-queue.js";
import { TickBatch, type FlowStore } from "./tick-batch.js";
import { storedFlowOf } from "./wire/answers.js";
import { listOf } from "./wire/values.js";
import { isPlainFlow, plainRequest, type PlainRequest } from "./wire/plain.js";
import { flowRequest } from "./wire/requests.js";

/** Calls are sent in the order in which they are made: what goes the short way is not awaited where that is not asked for. */
export function enqueue(
  queue: OpenQueue,
  request: EnqueueRequest,
): Promise<EnqueueAnswer | EnqueueCollision> {
  const { flows, now } = request;
  const [flow] = flows;
  if (flows.length === 1 && now === undefined && flow !== undefined && isPlainFlow(flow)) {
    let batch = batches.get(queue);
    if (batch === undefined) batches.set(queue, (batch = new TickBatch(new QueueStore(queue))));
    return batch.add(request, flow);
  }
  batches.get(queue)?.flush();
  return addOrStore(queue, request, performance.now());
}

const batches = new WeakMap<OpenQueue, TickBatch>();
const READY = "r".charCodeAt(0);
const SOMETHING_READY = { ready: true };
const NO_EFFECTS: EnqueueAnswer["effects"] = [];

/** Stores what a batch has gathered. */
class QueueStore implements FlowStore {
  readonly #queue: OpenQueue;

  constructor(queue: OpenQueue) {
    this.#queue = queue;
  }

  together(flows: readonly NewFlow[], receiver: Receiver, since: number): void {
    try {
      const packed = plainRequest(flows);
      if (packed === undefined) receiver.resolve(NOTHING_STORED);
      else add(this.#queue, receiver, packed, flows.length, undefined, since);
    } catch (error) {
      receiver.reject(error as TaskqError);
    }
  }

  states(reply: Reply, count: number): Buffer | undefined {
    return statesOf(this.#queue, reply, count);
  }

  alone(request: EnqueueRequest, since: number): Promise<EnqueueAnswer | EnqueueCollision> {
    return addOrStore(this.#queue, request, since);
  }

  answer(flows: readonly NewFlow[], states: Buffer, place: number): EnqueueAnswer {
    return storedAnswer(flows, states, place);
  }
}

async function addOrStore(
  queue: OpenQueue,
  request: EnqueueRequest,
  begun: number,
): Promise<EnqueueAnswer | EnqueueCollision> {
  const { now, flows } = request;
  const packed = plainRequest(flows);
  if (packed !== undefined) {
    const reply = await new Promise<Reply>((resolve, reject) => {
      add(queue, { resolve, reject }, packed, flows.length, now, begun);
    });
    const states = statesOf(queue, reply, flows.length);
    if (states !== undefined) return storedAnswer(flows, states, 0);
  }
  const asked = { flows: flows.map(flowRequest) };
  const { answer, effects } = await queue.ask(SCRIPTS.enqueue, request, asked, begun);
  if (typeof answer["collision"] === "string") return { collision: answer["collision"] };
  return { flows: listOf(answer["flows"], storedFlowOf), effects };
}

/** What the script replies where something stands in the way. */
const NOTHING_STORED = 0;

/** @param since when it was asked for */
function add(
  queue: OpenQueue,
  receiver: Receiver,
  { jobs, bodies }: PlainRequest,
  count: number,
  now: number | undefined,
  since: number,
): void {
  const hintsFirst = count === 1 && queue.isListenedTo;
  queue.send(receiver, SCRIPTS.add, [now ?? "", queue.publish, jobs, bodies], since, hintsFirst);
}

/** The states of all, a byte each, and perhaps what else is told; `undefined`: something stands in the way, and nothing was stored. */
function statesOf(queue: OpenQueue, states: Reply, count: number): Buffer | undefined {
  if (!Buffer.isBuffer(states)) return undefined;
  queue.presence.sawOpen();
  queue.isListenedTo = states.length > count && !queue.isHeard;
  queue.hint(SOMETHING_READY);
  return states;
}

/** What is told of jobs that were stored in these states, from a place on. */
function storedAnswer(flows: readonly NewFlow[], states: Buffer, from: number): EnqueueAnswer {
  const answers: StoredFlow[] = [];
  for (let place = 0; place < flows.length; place += 1) {
    const { end } = flows[place] as NewFlow;
    const state = states[from + place] === READY ? "ready" : "scheduled";
    answers.push({ status: "stored", id: end, state });
  }
  return { flows: answers, effects: NO_EFFECTS };
}
