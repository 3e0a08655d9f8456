/** Storing flows. Jobs that belong to nothing go a shorter way. */
import type { EnqueueAnswer, EnqueueCollision, EnqueueRequest } from "@taskq/core/storage";
import { SCRIPTS } from "./lua/scripts.js";
import type { OpenQueue } from "./open-queue.js";
import { storedFlowOf } from "./wire/answers.js";
import { listOf } from "./wire/values.js";
import { flowRequest, plainRequest } from "./wire/requests.js";

export async function enqueue(
  queue: OpenQueue,
  request: EnqueueRequest,
): Promise<EnqueueAnswer | EnqueueCollision> {
  const begun = performance.now();
  const plain = await addPlain(queue, request);
  if (plain !== undefined) return plain;
  const flows = request.flows.map(flowRequest);
  const { answer, effects } = await queue.ask(SCRIPTS.enqueue, request, { flows }, begun);
  if (typeof answer["collision"] === "string") return { collision: answer["collision"] };
  return { flows: listOf(answer["flows"], storedFlowOf), effects };
}

const READY = "r".charCodeAt(0);

/** `undefined`: there are others among them, or something stands in the way, and nothing was stored. */
async function addPlain(
  queue: OpenQueue,
  { flows, now }: EnqueueRequest,
): Promise<EnqueueAnswer | undefined> {
  const packed = flows.length === 0 ? undefined : plainRequest(flows);
  if (packed === undefined) return undefined;
  const states = await queue.run(SCRIPTS.add, [now ?? "", queue.publish, packed]);
  if (!Buffer.isBuffer(states)) return undefined;
  queue.hint({ ready: true });
  return {
    flows: flows.map(({ end }, place) => ({
      status: "stored",
      id: end,
      state: states[place] === READY ? "ready" : "scheduled",
    })),
    effects: [],
  };
}
