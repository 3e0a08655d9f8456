/** A draft as the row that is stored: keys and bytes. */
import type { MessageContext } from "../serializer/serializer.js";
import type { NewGate, NewJob, NewKeep, NewUnique } from "../storage.js";
import type { Engine } from "./engine-types.js";
import type { CheckedEnqueue } from "./enqueue-options.js";
import type { Draft } from "./flow-plan.js";
import { gatesOf, isKeyedLate, uniqueOf } from "./keys-of-job.js";
import { MESSAGE_VERSION, type JobMessage, type MessageOptions } from "./message.js";
import type { Policy } from "./policy.js";
import { keyOfInput } from "./unique-key.js";

/** What a row is made of. */
export interface RowParts {
  readonly policy: Policy;
  readonly options: CheckedEnqueue;
  /** The input as given: what is stored. */
  readonly input: unknown;
  readonly headers: JobMessage["headers"];
  readonly priority: number;
  readonly due: number;
  readonly now: number;
}

/**
 * The row of a job, encoded.
 *
 * @param value the input as the schema parsed it: what keys are made of
 * @throws `TASKQ_INPUT` `TASKQ_TOO_LARGE` `TASKQ_OPTION`
 */
export function rowOf(engine: Engine, draft: Draft, parts: RowParts, value: unknown): NewJob {
  const { definition, stage } = draft;
  const { policy, options } = parts;
  const context: MessageContext = {
    purpose: "task",
    namespace: engine.storage.namespace,
    queue: engine.name,
    id: draft.id,
    task: definition.name,
  };
  // An error handler reports what happened, however late.
  const expires = stage === "error" ? undefined : policy.expiresMs;
  const expiresAt =
    (stage === "error" ? undefined : options.expiresAt) ??
    (expires === undefined ? undefined : parts.now + expires);
  // A stage whose keys are made from its input gets them when that is there.
  const late = stage !== undefined && isKeyedLate(policy);
  const gates = late ? undefined : gatesOf(engine, policy, definition.name, value);
  const asked = (draft.after === undefined ? options.unique : undefined) ?? policy.unique;
  const unique =
    late || asked === undefined
      ? undefined
      : uniqueOf(engine, asked, {
          task: definition.name,
          value,
          now: parts.now,
          hash: () => keyOfInput(engine.serializer, parts.input, { ...context, id: "unique" }),
        });
  const message = messageOf(draft, parts, expiresAt, gates, unique);
  const row: NewJob = {
    id: draft.id,
    named: draft.named,
    task: definition.name,
    body: engine.serializer.encode(message, context),
    priority: parts.priority,
    due: parts.due,
    expiresAt,
    delivery: policy.delivery,
    after: draft.after,
    gates,
    unique,
    keep: keepOf(policy),
  };
  return draft.order === undefined ? row : { ...row, order: draft.order };
}

/** Only what is there is written, since the message is stored with every job. */
function messageOf(
  draft: Draft,
  { policy, options, input, headers }: RowParts,
  expiresAt: number | undefined,
  gates: readonly NewGate[] | undefined,
  unique: NewUnique | undefined,
): JobMessage {
  const message: { -readonly [Field in keyof JobMessage]: JobMessage[Field] } = {
    v: MESSAGE_VERSION,
    task: draft.definition.name,
  };
  if (input !== undefined) message.input = input;
  if (draft.stage !== undefined) message.stage = draft.stage;
  if (draft.extra !== undefined) message.extra = draft.extra;
  if (draft.members !== undefined) message.members = draft.members;
  if (draft.stage !== "error") {
    const own = ownOptions(options);
    if (own !== undefined) message.options = own;
  }
  if (headers !== undefined) message.headers = headers;
  if (options.instant !== undefined) message.instant = options.instant;
  if (policy.version !== 1) message.version = policy.version;
  if (expiresAt !== undefined) message.expiresAt = expiresAt;
  if (policy.delivery === "at-most-once") message.delivery = "at-most-once";
  if (draft.stage !== undefined && isKeyedLate(policy)) message.keyed = "";
  if (gates !== undefined || unique !== undefined || draft.after !== undefined) {
    message.guards = guardsFor(gates, unique, draft.after?.map(({ source }) => source) ?? []);
  }
  return message;
}

/** What stands outside the bytes as well. */
export function guardsFor(
  gates: readonly NewGate[] | undefined,
  unique: NewUnique | undefined,
  after: readonly string[],
): NonNullable<JobMessage["guards"]> {
  return {
    gates: gates?.map(({ key }) => key) ?? [],
    ...(unique === undefined ? {} : { unique: unique.key }),
    after,
  } as NonNullable<JobMessage["guards"]>;
}

function ownOptions({ retries, timeoutMs, backoff }: CheckedEnqueue): MessageOptions | undefined {
  if (retries === undefined && timeoutMs === undefined && backoff === undefined) return undefined;
  return {
    ...(retries === undefined ? {} : { retries }),
    ...(timeoutMs === undefined ? {} : { timeout: timeoutMs }),
    ...(backoff === undefined ? {} : { backoff }),
  };
}

function keepOf({ keep }: Policy): NewKeep | undefined {
  if (keep === undefined) return undefined;
  return {
    completed: keep.completed?.forMs,
    failed: keep.failed?.forMs,
    completedMax: keep.completed?.max,
    failedMax: keep.failed?.max,
  };
}
