/** A draft as the row that is stored: keys and bytes. */
import type { MessageContext } from "../serializer/serializer.js";
import type { NewGate, NewJob, NewKeep, NewUnique } from "../storage.js";
import type { CheckedUnique } from "../task-options.js";
import type { Engine } from "./engine-types.js";
import type { CheckedEnqueue } from "./enqueue-options.js";
import type { Draft } from "./flow-plan.js";
import { MESSAGE_VERSION, type JobMessage, type MessageOptions } from "./message.js";
import type { Policy } from "./policy.js";
import { keyFrom, keyOfInput, refuseFunction } from "./unique-key.js";

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
  const gates = gatesOf(draft, parts, value);
  const unique = uniqueOf(engine, draft, parts, value, context);
  const message = messageOf(draft, parts, expiresAt, gates, unique);
  return {
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
  if (draft.stage !== "error") {
    const own = ownOptions(options);
    if (own !== undefined) message.options = own;
  }
  if (headers !== undefined) message.headers = headers;
  if (options.instant !== undefined) message.instant = options.instant;
  if (policy.version !== 1) message.version = policy.version;
  if (expiresAt !== undefined) message.expiresAt = expiresAt;
  if (policy.delivery === "at-most-once") message.delivery = "at-most-once";
  if (gates !== undefined || unique !== undefined || draft.after !== undefined) {
    message.guards = {
      gates: gates?.map(({ key }) => key) ?? [],
      ...(unique === undefined ? {} : { unique: unique.key }),
      after: draft.after?.map(({ source }) => source) ?? [],
    } as NonNullable<JobMessage["guards"]>;
  }
  return message;
}

function ownOptions({ retries, timeoutMs, backoff }: CheckedEnqueue): MessageOptions | undefined {
  if (retries === undefined && timeoutMs === undefined && backoff === undefined) return undefined;
  return {
    ...(retries === undefined ? {} : { retries }),
    ...(timeoutMs === undefined ? {} : { timeout: timeoutMs }),
    ...(backoff === undefined ? {} : { backoff }),
  };
}

function gatesOf(draft: Draft, { policy }: RowParts, value: unknown): readonly NewGate[] | undefined {
  const { lock, limit, concurrency } = policy;
  if (lock === undefined && limit === undefined && concurrency === undefined) return undefined;
  const { name } = draft.definition;
  if (draft.stage !== undefined) {
    refuseFunction(lock?.key, `task '${name}' lock`);
    refuseFunction(limit?.key, `task '${name}' limit`);
    refuseFunction(concurrency?.key, `task '${name}' concurrency`);
  }
  const gates: NewGate[] = [];
  if (lock !== undefined) {
    const key = keyFrom(lock.key, value, `task '${name}' lock`);
    gates.push({ kind: "lock", key, max: 1, per: undefined, onBusy: lock.onBusy });
  }
  if (concurrency !== undefined) {
    const key = keyFrom(concurrency.key ?? name, value, `task '${name}' concurrency`);
    gates.push({ kind: "concurrency", key, max: concurrency.max, per: undefined, onBusy: "wait" });
  }
  if (limit !== undefined) {
    const key = keyFrom(limit.key ?? name, value, `task '${name}' limit`);
    gates.push({ kind: "limit", key, max: limit.max, per: limit.perMs, onBusy: limit.onLimit });
  }
  return gates;
}

function uniqueOf(
  engine: Engine,
  draft: Draft,
  { policy, options, input, now }: RowParts,
  value: unknown,
  context: MessageContext,
): NewUnique | undefined {
  const begins = draft.after === undefined;
  const unique: CheckedUnique | undefined = (begins ? options.unique : undefined) ?? policy.unique;
  if (unique === undefined) return undefined;
  const { name } = draft.definition;
  if (!begins) refuseFunction(unique.key ?? (() => ""), `task '${name}' unique key`);
  const key =
    unique.key === undefined
      ? keyOfInput(engine.serializer, input, { ...context, id: "unique" })
      : keyFrom(unique.key, value, `task '${name}' unique key`);
  const until = { waiting: "started", unfinished: "final" } as const;
  return {
    // Of this task alone: two tasks may both call a key 'all'.
    key: `${name}:${key}`,
    until: typeof unique.while === "number" ? now + unique.while : until[unique.while],
    onConflict: unique.onConflict,
  };
}

function keepOf({ keep }: Policy): NewKeep | undefined {
  if (keep === undefined) return undefined;
  return { completed: keep.completed?.forMs, failed: keep.failed?.forMs };
}
