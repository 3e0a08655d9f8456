/** Storing flows. Jobs that belong to nothing go a shorter way, those of one tick together. */
import type {
  EnqueueAnswer,
  EnqueueCollision,
  EnqueueRequest,
  NewFlow,
  StoredFlow,
} from "@taskq/core/storage";
import { SCRIPTS } from "./lua/scripts.js";
import type { OpenQueue } from "./open-queue.js";
import { TickBatch } from "./tick-batch.js";
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
    if (batch === undefined) batches.set(queue, (batch = tickBatch(queue)));
    return batch.add(request, flow);
  }
  batches.get(queue)?.flush();
  return addOrStore(queue, request, performance.now());
}

const batches = new WeakMap<OpenQueue, TickBatch>();
const READY = "r".charCodeAt(0);
const SOMETHING_READY = { ready: true };
const NO_EFFECTS: EnqueueAnswer["effects"] = [];

function tickBatch(queue: OpenQueue): TickBatch {
  return new TickBatch({
    together: (flows) => addTogether(queue, flows),
    alone: (request, since) => addOrStore(queue, request, since),
    answer: storedAnswer,
  });
}

async function addOrStore(
  queue: OpenQueue,
  request: EnqueueRequest,
  begun: number,
): Promise<EnqueueAnswer | EnqueueCollision> {
  const packed = plainRequest(request.flows);
  const states =
    packed === undefined
      ? undefined
      : await add(queue, packed, { count: request.flows.length, now: request.now, since: begun });
  if (states !== undefined) return storedAnswer(request.flows, states);
  const flows = request.flows.map(flowRequest);
  const { answer, effects } = await queue.ask(SCRIPTS.enqueue, request, { flows }, begun);
  if (typeof answer["collision"] === "string") return { collision: answer["collision"] };
  return { flows: listOf(answer["flows"], storedFlowOf), effects };
}

async function addTogether(queue: OpenQueue, flows: readonly NewFlow[]): Promise<Buffer | undefined> {
  const packed = plainRequest(flows);
  return packed === undefined ? undefined : add(queue, packed, { count: flows.length });
}

interface Adding {
  readonly count: number;
  readonly now?: number | undefined;
  readonly since?: number | undefined;
}

/** The states of all, a byte each, and perhaps what else is told; `undefined`: something stands in the way, and nothing was stored. */
async function add(
  queue: OpenQueue,
  { jobs, bodies }: PlainRequest,
  { count, now, since }: Adding,
): Promise<Buffer | undefined> {
  const parameters = [now ?? "", queue.publish, jobs, bodies];
  const hintsFirst = count === 1 && queue.isListenedTo;
  const states = await queue.run(SCRIPTS.add, parameters, since, undefined, hintsFirst);
  if (!Buffer.isBuffer(states)) return undefined;
  queue.presence.sawOpen();
  queue.isListenedTo = states.length > count && !queue.isHeard;
  queue.hint(SOMETHING_READY);
  return states;
}

/** What is told of jobs that were stored in these states, from a place on. */
function storedAnswer(flows: readonly NewFlow[], states: Buffer, from = 0): EnqueueAnswer {
  const answers: StoredFlow[] = [];
  for (const { end } of flows) {
    const state = states[from + answers.length] === READY ? "ready" : "scheduled";
    answers.push({ status: "stored", id: end, state });
  }
  return { flows: answers, effects: NO_EFFECTS };
}
