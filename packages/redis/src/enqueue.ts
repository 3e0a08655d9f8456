/** Storing flows. Most go a shorter way, those of one tick together. */
import type { EnqueueAnswer, EnqueueRequest, NewFlow, StoredFlow, TaskqError } from "@taskq/core/storage";
import type { Receiver } from "./connection/call.js";
import type { Reply } from "./connection/client.js";
import { SCRIPTS } from "./lua/scripts.js";
import type { OpenQueue } from "./open-queue.js";
import { TickBatch, type Answer, type FlowStore, type Told } from "./tick-batch.js";
import { storedFlowOf } from "./wire/answers.js";
import { goesShort, shortRequest, type ShortRequest } from "./wire/short-request.js";
import { flowRequest } from "./wire/requests.js";
import { unpack } from "./wire/unpack.js";
import { listOf } from "./wire/values.js";

/** Calls are sent in the order in which they are made: what goes the short way is not awaited where that is not asked for. */
export function enqueue(queue: OpenQueue, request: EnqueueRequest): Promise<Answer> {
  const { flows, now } = request;
  const [flow] = flows;
  if (flows.length === 1 && now === undefined && flow !== undefined && goesShort(flow)) {
    let batch = batches.get(queue);
    if (batch === undefined) batches.set(queue, (batch = new TickBatch(new QueueStore(queue))));
    return batch.add(request, flow);
  }
  sendGathered(queue);
  return addOrStore(queue, request, performance.now());
}

/** Sends what this tick has gathered so far. */
export function sendGathered(queue: OpenQueue): void {
  batches.get(queue)?.flush();
}

const batches = new WeakMap<OpenQueue, TickBatch>();
/** What the script replies where something stands in the way. */
const NOTHING_STORED = 0;
const READY = "r".charCodeAt(0);
const EXISTING = "x".charCodeAt(0);
/** Behind the states: a few processes have heard of it; the job was handed to one that waited. */
const [FEW, HANDED] = ["h".charCodeAt(0), "w".charCodeAt(0)];
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
      const packed = shortRequest(flows);
      if (packed === undefined) receiver.resolve(NOTHING_STORED);
      else add(this.#queue, receiver, packed, flows.length, undefined, since);
    } catch (error) {
      receiver.reject(error as TaskqError);
    }
  }

  mending(error: unknown): Promise<void> | undefined {
    return this.#queue.presence.opening(error);
  }

  told(reply: Reply, count: number): Told | undefined {
    return toldBy(this.#queue, reply, count);
  }

  alone(request: EnqueueRequest, since: number): Promise<Answer> {
    return addOrStore(this.#queue, request, since);
  }

  otherwise(request: EnqueueRequest, since: number): Promise<Answer> {
    return store(this.#queue, request, since);
  }

  answer(flows: readonly NewFlow[], told: Told, place: number): EnqueueAnswer {
    return answerFrom(this.#queue, flows, told, place, undefined);
  }
}

async function addOrStore(queue: OpenQueue, request: EnqueueRequest, begun: number): Promise<Answer> {
  const { now, flows } = request;
  const packed = shortRequest(flows);
  if (packed !== undefined) {
    let reply: Reply = NOTHING_STORED;
    try {
      reply = await new Promise<Reply>((resolve, reject) => {
        add(queue, { resolve, reject }, packed, flows.length, now, begun);
      });
    } catch (error) {
      await queue.presence.openIfGone(error, queue.presence.timesOpened);
    }
    const told = toldBy(queue, reply, flows.length);
    if (told !== undefined) return answerFrom(queue, flows, told, 0, now);
  }
  return store(queue, request, begun);
}

/** Whatever they are. */
async function store(queue: OpenQueue, request: EnqueueRequest, begun: number): Promise<Answer> {
  const asked = { flows: request.flows.map(flowRequest) };
  const { answer, effects } = await queue.ask(SCRIPTS.enqueue, request, asked, begun);
  if (typeof answer["collision"] === "string") return { collision: answer["collision"] };
  const flows = listOf(answer["flows"], storedFlowOf);
  for (const [place, { status, state }] of flows.entries()) {
    const isToWait = status === "stored" && state === "scheduled";
    if (isToWait && request.now === undefined) queue.early.saw(request.flows[place]?.jobs ?? []);
  }
  return { flows, effects };
}

/** @param since when it was asked for */
function add(
  queue: OpenQueue,
  receiver: Receiver,
  { jobs, bodies, mixed }: ShortRequest,
  count: number,
  now: number | undefined,
  since: number,
): void {
  const hintsFirst = count === 1 && queue.isListenedTo;
  const parameters = [now ?? "", queue.publish, jobs, bodies];
  if (mixed === undefined) {
    const script = count === 1 && queue.hasListeners ? SCRIPTS.addOne : SCRIPTS.add;
    queue.send(receiver, script, parameters, since, hintsFirst);
  } else queue.send(receiver, SCRIPTS.addMixed, [...parameters, ...mixed], since, hintsFirst);
}

/** `undefined`: something stands in the way, and nothing was stored. */
function toldBy(queue: OpenQueue, reply: Reply, count: number): Told | undefined {
  if (typeof reply === "number" || reply === null) return undefined;
  const [states, packed] = Buffer.isBuffer(reply) ? [reply] : (reply as readonly Buffer[]);
  if (states === undefined) return undefined;
  const existing = packed === undefined ? undefined : existingIn(states, packed);
  queue.presence.sawOpen();
  if (existing === undefined || existing.size < count) {
    const heard = states[count];
    queue.hasListeners = heard !== undefined;
    queue.isListenedTo = heard === FEW && !queue.isHeard;
    // Who was handed it has heard of it.
    if (states[count + 1] !== HANDED) queue.hint(SOMETHING_READY);
  }
  return { states, existing };
}

/** By place; of each its id and its state are told. */
function existingIn(states: Buffer, packed: Buffer): ReadonlyMap<number, StoredFlow> {
  const existing = new Map<number, StoredFlow>();
  const pairs = unpack(packed) as readonly string[];
  for (const [place, state] of states.entries()) {
    if (state !== EXISTING) continue;
    const at = existing.size * 2;
    existing.set(place, {
      status: "existing",
      id: pairs[at] as string,
      state: pairs[at + 1] as StoredFlow["state"],
    });
  }
  return existing;
}

/** What is told of these flows, of which the first is at this place. */
function answerFrom(
  queue: OpenQueue,
  flows: readonly NewFlow[],
  { states, existing }: Told,
  from: number,
  now: number | undefined,
): EnqueueAnswer {
  const answers: StoredFlow[] = [];
  for (let place = 0; place < flows.length; place += 1) {
    const { end, jobs } = flows[place] as NewFlow;
    const state = states[from + place] === READY ? "ready" : "scheduled";
    if (state === "scheduled" && now === undefined) queue.early.saw(jobs);
    answers.push(existing?.get(from + place) ?? { status: "stored", id: end, state });
  }
  return { flows: answers, effects: NO_EFFECTS };
}
