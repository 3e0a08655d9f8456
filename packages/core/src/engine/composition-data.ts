/** A composition as data, for schedules that are kept in the storage. */
import type { Composition } from "../composition.js";
import type { Definition } from "../definition.js";
import { TaskqError } from "../errors.js";

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

export function compositionData(composition: Composition): CompositionData {
  switch (composition.kind) {
    case "run": {
      const { kind, task, input } = composition;
      return { kind, task: task.name, ...(input === undefined ? {} : { input }) };
    }
    case "pipe": {
      const { kind, before, task, extra } = composition;
      return {
        kind,
        before: compositionData(before),
        task: task.name,
        ...(extra === undefined ? {} : { extra }),
      };
    }
    case "group": {
      const { kind, members, mode } = composition;
      return { kind, members: members.map(compositionData), mode };
    }
    case "guarded":
      return { kind: "guarded", body: compositionData(composition.body), handler: composition.handler.name };
  }
}

/** @throws `TASKQ_UNKNOWN_TASK` for a task that the queue does not have */
export function compositionFrom(data: CompositionData, tasks: ReadonlyMap<string, Definition>): Composition {
  const find = (name: string): Definition => {
    const definition = tasks.get(name);
    if (definition !== undefined) return definition;
    throw new TaskqError(
      "TASKQ_UNKNOWN_TASK",
      `a stored schedule needs the task '${name}', which this queue does not have`,
    );
  };
  const from = (part: CompositionData): Composition => {
    switch (part.kind) {
      case "run":
        return { kind: "run", task: find(part.task), input: part.input };
      case "pipe":
        return { kind: "pipe", before: from(part.before), task: find(part.task), extra: part.extra };
      case "group":
        return { kind: "group", members: part.members.map(from), mode: part.mode };
      case "guarded":
        return { kind: "guarded", body: from(part.body), handler: find(part.handler) };
    }
  };
  return from(data);
}

/** The name of the task that a composition ends with; of a group, that of its first member. */
export function lastTask(composition: Composition): string {
  switch (composition.kind) {
    case "run":
    case "pipe":
      return composition.task.name;
    case "group":
      return composition.members[0] === undefined ? "group" : lastTask(composition.members[0]);
    case "guarded":
      return lastTask(composition.body);
  }
}
