/** Builds flows as core stores them: jobs, joins and edges. */
import type { EdgeCondition, NewFlow, NewJob, NewJoin } from "@taskq/core/storage";

/** Whatever can stand as a stage or a member. */
export type Part = NewJob | NewFlow;

/** A part as a flow; a job alone is one. */
export function flowOf(part: Part): NewFlow {
  return "jobs" in part ? part : { end: part.id, jobs: [part], joins: [] };
}

/** The job, waiting for the sources under the condition, behind those it waits for already. */
export function after(job: NewJob, sources: readonly string[], on: EdgeCondition = "completed"): NewJob {
  return { ...job, after: [...(job.after ?? []), ...sources.map((source) => ({ source, on }))] };
}

/** One part after the other, each upon completion of the one before; the last is the end. */
export function chain(first: Part, ...rest: readonly NewJob[]): NewFlow {
  return rest.reduce((flow, stage) => follow(flow, stage), flowOf(first));
}

/** The flow, with one more job behind its end, which becomes the end. */
export function follow(part: Part, stage: NewJob, on: EdgeCondition = "completed"): NewFlow {
  const flow = flowOf(part);
  return { end: stage.id, jobs: [...flow.jobs, after(stage, [flow.end], on)], joins: flow.joins };
}

/** The flow, with an error handler upon its end; the end stays what it is. */
export function onError(part: Part, handler: NewJob): NewFlow {
  const flow = flowOf(part);
  return { ...flow, jobs: [...flow.jobs, after(handler, [flow.end], "failed")] };
}

/** Members side by side, with a join over their ends, which is the end. */
export function join(id: string, members: readonly Part[], mode: NewJoin["mode"] = "all"): NewFlow {
  const flows = members.map(flowOf);
  return {
    end: id,
    jobs: flows.flatMap((flow) => flow.jobs),
    joins: [...flows.flatMap((flow) => flow.joins), { id, mode, members: flows.map((flow) => flow.end) }],
  };
}
