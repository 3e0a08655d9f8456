/** The keys of a stage, made when its input is there. */
import { createHash } from "node:crypto";
import type { Definition } from "../definition.js";
import { parseInput } from "../schema.js";
import type { MessageContext } from "../serializer/serializer.js";
import type { SettledOutcome, Source } from "../storage.js";
import { guardsFor } from "./job-row.js";
import { gatesOf, uniqueOf } from "./keys-of-job.js";
import { whenReady, type MaybePromise } from "./maybe-promise.js";
import type { JobMessage } from "./message.js";
import type { Policy } from "./policy.js";
import type { Run } from "./run.js";
import { keyOfInput } from "./unique-key.js";

/** A stage that was claimed, with its input. */
export interface ClaimedStage {
  readonly run: Run;
  readonly definition: Definition;
  readonly policy: Policy;
  readonly message: JobMessage;
}

/**
 * What to give a stage back with, so that it waits by the keys that its input makes; `undefined`: it has, and may run.
 *
 * @throws what a key that cannot be made is refused with
 */
export function keysOfStage(
  { run, definition, policy, message }: ClaimedStage,
  input: unknown,
): MaybePromise<SettledOutcome | undefined> {
  const { engine, claimed } = run;
  const mark = markOf(claimed.sources?.[0]);
  // A stage before it may have been run again by hand since its keys were made.
  if (message.keyed === mark) return undefined;
  const task = definition.name;
  const { schema } = definition;
  const parsed = schema === undefined ? input : parseInput(schema, input, `the input of task '${task}'`);
  return whenReady(parsed, (value) => {
    const context: MessageContext = {
      purpose: "task",
      namespace: engine.storage.namespace,
      queue: engine.name,
      id: claimed.id,
      task,
    };
    const gates = gatesOf(engine, policy, task, value);
    const hash = (): string => keyOfInput(engine.serializer, input, { ...context, id: "unique" });
    const unique =
      policy.unique === undefined
        ? undefined
        : uniqueOf(engine, policy.unique, { task, value, now: run.startedAt, hash });
    const guards = guardsFor(gates, unique, message.guards?.after ?? []);
    const body = engine.serializer.encode({ ...message, keyed: mark, guards }, context);
    return { kind: "keyed", body, gates, unique };
  });
}

/** Tells from which runs an input was made: a run is known by its fence. */
function markOf(source: Source | undefined): string {
  const runs: unknown[] = [];
  const collect = (part: Source): void => {
    if (part.kind === "join") part.members.forEach(collect);
    else runs.push(part.id, part.fence, part.state);
  };
  if (source !== undefined) collect(source);
  return createHash("sha256").update(JSON.stringify(runs)).digest("base64url");
}
