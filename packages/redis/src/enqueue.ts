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
  const plain = await addPlain(queue, request, begun);
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
async function addPlain(
  queue: OpenQueue,
  { flows, now }: EnqueueRequest,
  begun: number,
): Promise<EnqueueAnswer | undefined> {
  let batch = batches.get(queue);
  const [flow] = flows;
  if (flows.length === 1 && now === undefined && flow !== undefined && isPlainFlow(flow)) {
    if (batch === undefined) batches.set(queue, (batch = new TickBatch(queue, storePlain)));
    const state = await batch.add(flow);
    if (state !== undefined) return stored([flow], [state]);
    // One of them stood in the way, perhaps another.
  } else batch?.flush();
  const states = await storePlain(queue, flows, { now, since: begun });
  return states === undefined ? undefined : stored(flows, states);
}

async function storePlain(
  queue: OpenQueue,
  flows: readonly NewFlow[],
  { now, since }: { readonly now?: number | undefined; readonly since?: number } = {},
): Promise<readonly ("ready" | "scheduled")[] | undefined> {
  const packed = flows.length === 0 ? undefined : plainRequest(flows);
  if (packed === undefined) return undefined;
  const states = await queue.run(SCRIPTS.add, [now ?? "", queue.publish, packed], since);
  if (!Buffer.isBuffer(states)) return undefined;
  queue.hint({ ready: true });
  return Array.from(states, (state) => (state === READY ? "ready" : "scheduled"));
}

function stored(flows: readonly NewFlow[], states: readonly ("ready" | "scheduled")[]): EnqueueAnswer {
  const answers = flows.map(
    ({ end }, place) => ({ status: "stored", id: end, state: states[place] ?? "ready" }) as const,
  );
  return { flows: answers, effects: NO_EFFECTS };
}
