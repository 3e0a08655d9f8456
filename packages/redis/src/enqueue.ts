/** Storing flows. Jobs that belong to nothing go a shorter way, those of one tick together. */
import type { EnqueueAnswer, EnqueueCollision, EnqueueRequest, NewFlow } from "@taskq/core/storage";
import { SCRIPTS } from "./lua/scripts.js";
import type { OpenQueue } from "./open-queue.js";
import { TickBatch } from "./tick-batch.js";
import { storedFlowOf } from "./wire/answers.js";
import { listOf } from "./wire/values.js";
import { flowRequest, isPlainFlow, plainRequest } from "./wire/requests.js";

export async function enqueue(
  queue: OpenQueue,
  request: EnqueueRequest,
): Promise<EnqueueAnswer | EnqueueCollision> {
  const begun = performance.now();
  // Not awaited where it is not asked for: calls are sent in the order in which they are made.
  const adding = addPlain(queue, request, begun);
  const plain = adding === undefined ? undefined : await adding;
  if (plain !== undefined) return plain;
  const flows = request.flows.map(flowRequest);
  const { answer, effects } = await queue.ask(SCRIPTS.enqueue, request, { flows }, begun);
  if (typeof answer["collision"] === "string") return { collision: answer["collision"] };
  return { flows: listOf(answer["flows"], storedFlowOf), effects };
}

const batches = new WeakMap<OpenQueue, TickBatch>();
const READY = "r".charCodeAt(0);
const NO_EFFECTS: EnqueueAnswer["effects"] = [];

/** `undefined`: there are others among them, or something stands in the way, and nothing was stored. */
function addPlain(
  queue: OpenQueue,
  { flows, now }: EnqueueRequest,
  begun: number,
): Promise<EnqueueAnswer | undefined> | undefined {
  const [flow] = flows;
  if (flows.length === 1 && now === undefined && flow !== undefined && isPlainFlow(flow)) {
    return addOne(queue, flow, begun);
  }
  batches.get(queue)?.flush();
  const packed = packedOf(flows);
  return packed === undefined ? undefined : addAll(queue, flows, packed, { now, since: begun });
}

/** With the others of its tick. */
async function addOne(queue: OpenQueue, flow: NewFlow, since: number): Promise<EnqueueAnswer | undefined> {
  let batch = batches.get(queue);
  if (batch === undefined) batches.set(queue, (batch = new TickBatch(queue, storePlain)));
  const state = await batch.add(flow);
  if (state !== undefined) return stored([flow], [state]);
  // One of them stood in the way, perhaps another.
  const packed = packedOf([flow]);
  return packed === undefined ? undefined : addAll(queue, [flow], packed, { since });
}

async function addAll(
  queue: OpenQueue,
  flows: readonly NewFlow[],
  packed: Buffer,
  when: When,
): Promise<EnqueueAnswer | undefined> {
  const states = await store(queue, packed, flows.length, when);
  return states === undefined ? undefined : stored(flows, states);
}

interface When {
  readonly now?: number | undefined;
  readonly since?: number;
}

type States = readonly ("ready" | "scheduled")[];

async function storePlain(queue: OpenQueue, flows: readonly NewFlow[]): Promise<States | undefined> {
  const packed = packedOf(flows);
  return packed === undefined ? undefined : store(queue, packed, flows.length);
}

function packedOf(flows: readonly NewFlow[]): Buffer | undefined {
  return flows.length === 0 ? undefined : plainRequest(flows);
}

async function store(
  queue: OpenQueue,
  packed: Buffer,
  count: number,
  { now, since }: When = {},
): Promise<States | undefined> {
  const parameters = [now ?? "", queue.publish, packed];
  const hintsFirst = count === 1 && queue.isListenedTo;
  const reply = await queue.run(SCRIPTS.add, parameters, since, undefined, hintsFirst);
  if (!Buffer.isBuffer(reply)) return undefined;
  queue.presence.sawOpen();
  queue.isListenedTo = reply.length > count && !queue.isHeard;
  queue.hint({ ready: true });
  return Array.from({ length: count }, (_, place) => (reply[place] === READY ? "ready" : "scheduled"));
}

function stored(flows: readonly NewFlow[], states: States): EnqueueAnswer {
  const answers = flows.map(
    ({ end }, place) => ({ status: "stored", id: end, state: states[place] ?? "ready" }) as const,
  );
  return { flows: answers, effects: NO_EFFECTS };
}
