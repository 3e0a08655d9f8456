/** A composition as data, for schedules that are kept in the storage. */
import type { Composition } from "../composition.js";
import type { Definition } from "../definition.js";
import { TaskqError } from "../errors.js";
import { shown } from "../options.js";
import { isRecord } from "./is-record.js";

export type CompositionData =
  | { readonly kind: "run"; readonly task: string; readonly input?: unknown }
  | {
      readonly kind: "pipe";
      readonly before: CompositionData;
      readonly task: string;
      readonly extra?: object;
    }
  | { readonly kind: "group"; readonly members: readonly CompositionData[]; readonly mode: "all" | "settled" }
  | { readonly kind: "guarded"; readonly body: CompositionData; readonly handler: string };

/** Parts inside each other: more than anybody composes, and few enough to be followed. */
const DEEPEST = 500;

/** @throws `TASKQ_OPTION` for one that could not be read again */
export function compositionData(composition: Composition, levels: number = DEEPEST): CompositionData {
  if (levels === 0) throw tooDeep();
  switch (composition.kind) {
    case "run": {
      const { kind, task, input } = composition;
      return { kind, task: task.name, ...(input === undefined ? {} : { input }) };
    }
    case "pipe": {
      const { kind, before, task, extra } = composition;
      return {
        kind,
        before: compositionData(before, levels - 1),
        task: task.name,
        ...(extra === undefined ? {} : { extra }),
      };
    }
    case "group": {
      const { kind, members, mode } = composition;
      return { kind, members: members.map((member) => compositionData(member, levels - 1)), mode };
    }
    case "guarded":
      return {
        kind: "guarded",
        body: compositionData(composition.body, levels - 1),
        handler: composition.handler.name,
      };
  }
}

function tooDeep(): TaskqError {
  return new TaskqError(
    "TASKQ_OPTION",
    `schedule job: expected at most ${DEEPEST} stages and groups inside each other; enqueue longer flows from a job of the schedule`,
  );
}

/** @throws `TASKQ_UNKNOWN_TASK` for a task that the queue does not have, `TASKQ_INPUT` for what is no composition */
export function compositionFrom(data: unknown, tasks: ReadonlyMap<string, Definition>): Composition {
  const find = (name: unknown): Definition => {
    if (typeof name !== "string") throw malformed();
    const definition = tasks.get(name);
    if (definition !== undefined) return definition;
    throw new TaskqError(
      "TASKQ_UNKNOWN_TASK",
      `a stored schedule needs the task ${shown(name)}, which this queue does not have`,
    );
  };
  const from = (part: unknown, levels: number): Composition => {
    if (!isRecord(part) || levels === 0) throw malformed();
    const { kind, task, before, extra, members, mode, body, handler } = part;
    if (kind === "run") return { kind, task: find(task), input: part["input"] };
    if (kind === "pipe" && (extra === undefined || isRecord(extra))) {
      return { kind, before: from(before, levels - 1), task: find(task), extra };
    }
    if (kind === "group" && Array.isArray(members) && (mode === "all" || mode === "settled")) {
      return { kind, members: members.map((member) => from(member, levels - 1)), mode };
    }
    if (kind === "guarded") return { kind, body: from(body, levels - 1), handler: find(handler) };
    throw malformed();
  };
  return from(data, DEEPEST);
}

function malformed(): TaskqError {
  return new TaskqError("TASKQ_INPUT", "the job of a stored schedule is not as it is written");
}

/** The name of the task that a composition ends with; of a group, that of its first member. */
export function lastTask(composition: Composition): string {
  let part: Composition | undefined = composition;
  while (part?.kind === "guarded" || part?.kind === "group") {
    part = part.kind === "guarded" ? part.body : part.members[0];
  }
  return part?.task.name ?? "group";
}
