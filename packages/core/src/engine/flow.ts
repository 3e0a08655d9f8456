/** From a job to what the storage is given: checks and middleware. */
import type { Composition } from "../composition.js";
import { TaskqError } from "../errors.js";
import { parseInput } from "../schema.js";
import type { NewFlow, NewJob } from "../storage.js";
import type { JobDraft } from "../vocabulary/middleware.js";
import type { StandardSchema } from "../vocabulary/standard-schema.js";
import type { Engine } from "./engine-types.js";
import { throughMiddleware } from "./enqueue-middleware.js";
import type { CheckedEnqueue } from "./enqueue-options.js";
import { firstDraft, planFlow, type Draft } from "./flow-plan.js";
import { rowOf } from "./job-row.js";
import { inTurn, whenReady, type MaybePromise } from "./maybe-promise.js";
import type { Policy } from "./policy.js";

/** A flow ready to be stored. */
export interface BuiltFlow {
  readonly flow: NewFlow;
  /** The ids of its stages, the end last; `undefined`: it is its only one. */
  readonly stages: readonly string[] | undefined;
}

/** Whether its handle is one of several jobs. */
export function isOfFlow({ stages }: BuiltFlow): boolean {
  return stages !== undefined && stages.length > 1;
}

/** Its rows with an id of the caller's. */
export function namedRows({ flow }: BuiltFlow): readonly (NewFlow["jobs"] | NewFlow["joins"])[number][] {
  return [...flow.jobs, ...flow.joins].filter((row) => row.named === true);
}

const NO_JOINS: NewFlow["joins"] = Object.freeze([]);

/**
 * Builds the flow of a composition; at once where schemas and middleware are synchronous.
 *
 * @throws `TASKQ_INPUT` `TASKQ_TOO_LARGE` `TASKQ_OPTION` `TASKQ_UNKNOWN_TASK`
 */
export function buildFlow(
  engine: Engine,
  composition: Composition,
  options: CheckedEnqueue,
  now: number,
): MaybePromise<BuiltFlow> {
  if (composition.kind === "run") {
    const job = buildJob(engine, firstDraft(engine, composition, options, now), options, now);
    return job instanceof Promise ? job.then(onlyJob) : onlyJob(job);
  }
  const plan = planFlow(
    composition,
    () => engine.makeId(now),
    options,
    (name) => engine.tasks.has(name),
  );
  refuseUniqueOfMany(options, plan.drafts);
  const jobs: NewJob[] = [];
  const built = inTurn(plan.drafts, (draft) =>
    whenReady(buildJob(engine, draft, options, now), (job) => {
      jobs.push(job);
    }),
  );
  return whenReady(built, () => ({
    flow: { end: plan.end, jobs, joins: plan.joins },
    stages: plan.stages,
  }));
}

/** Most flows are one job: nothing is made for them that they do not need. */
function onlyJob(job: NewJob): BuiltFlow {
  return { flow: { end: job.id, jobs: [job], joins: NO_JOINS }, stages: undefined };
}

function refuseUniqueOfMany({ unique }: CheckedEnqueue, drafts: readonly Draft[]): void {
  if (unique === undefined || drafts.filter(({ after }) => after === undefined).length === 1) return;
  throw new TaskqError("TASKQ_OPTION", "enqueue unique: a flow that begins with several jobs has no one key");
}

function buildJob(engine: Engine, draft: Draft, options: CheckedEnqueue, now: number): MaybePromise<NewJob> {
  const { definition, input } = draft;
  const policy = engine.policies.get(definition.name) as Policy;
  // What follows is due when it is let go: a flow whose first job is rescheduled keeps nobody until the first plan.
  const due = draft.stage === undefined ? (options.due ?? now) : now;
  const priority = options.priority ?? policy.priority;
  const { headers } = options;
  if (engine.middleware.some((layer) => layer.enqueue !== undefined)) {
    return buildDrafted(engine, draft, options, now, {
      id: draft.id,
      task: definition.name,
      input,
      headers: headers ?? {},
      priority,
      scheduledAt: new Date(due),
    });
  }
  const parts = { policy, options, now, input, headers, priority, due };
  const schema = schemaOf(draft);
  if (schema === undefined) return rowOf(engine, draft, parts, input);
  return whenReady(check(schema, input, definition.name), (value) => rowOf(engine, draft, parts, value));
}

/** A stage's input is known, and checked, when it runs. */
function schemaOf({ stage, definition }: Draft): StandardSchema | undefined {
  return stage === undefined ? definition.schema : undefined;
}

/** Leads the job through the middleware, and checks the input that comes out. */
function buildDrafted(
  engine: Engine,
  draft: Draft,
  options: CheckedEnqueue,
  now: number,
  told: JobDraft,
): MaybePromise<NewJob> {
  const { definition } = draft;
  const schema = schemaOf(draft);
  return whenReady(throughMiddleware(engine.middleware, told), (changed) => {
    const { input, priority } = changed;
    const parts = {
      policy: engine.policies.get(definition.name) as Policy,
      options,
      now,
      input,
      headers: Object.keys(changed.headers).length === 0 ? undefined : changed.headers,
      priority,
      due: changed.scheduledAt.getTime(),
    };
    if (schema === undefined) return rowOf(engine, draft, parts, input);
    return whenReady(check(schema, input, definition.name), (value) => rowOf(engine, draft, parts, value));
  });
}

function check(schema: StandardSchema, input: unknown, task: string): MaybePromise<unknown> {
  return parseInput(schema, input, `the input of task '${task}'`);
}
