import { TaskqError } from "../errors.js";
import type { MessageContext } from "../serializer/serializer.js";
import { checkedMessage } from "./checked-message.js";
import { decodeMessage, difference, type JobMessage } from "./message.js";
import type { Run } from "./run.js";

/**
 * What the job of a run is.
 *
 * @throws what makes the job one to quarantine
 */
export function openMessage({ engine, claimed }: Pick<Run, "engine" | "claimed">): JobMessage {
  const context: MessageContext = {
    purpose: "task",
    namespace: engine.storage.namespace,
    queue: engine.name,
    id: claimed.id,
    task: claimed.task,
  };
  const message = decodeMessage(engine.serializer, claimed.body, context);
  const differs = difference(checkedMessage(message), claimed);
  if (differs === undefined) return message;
  throw new TaskqError("TASKQ_SIGNATURE", `what is stored beside the job differs from its bytes: ${differs}`);
}
