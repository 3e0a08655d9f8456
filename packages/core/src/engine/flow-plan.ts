/** A composition as the rows of a flow. */
import type { Composition } from "../composition.js";
import type { Definition } from "../definition.js";
import { TaskqError } from "../errors.js";
import type { NewEdge, NewJoin } from "../storage.js";
import type { Engine } from "./engine-types.js";
import type { CheckedEnqueue } from "./enqueue-options.js";
import { membersText } from "./members.js";

/** Groups inside each other: more than anybody composes, and few enough for every storage to follow. */
const DEEPEST_GROUP = 500;

/** A job on its way to be stored. */
export interface Draft {
  readonly id: string;
  readonly named: boolean;
  /** Of one whose id was given: the id that would have been made. */
  readonly order: string | undefined;
  readonly definition: Definition;
  readonly input: unknown;
  /** `undefined`: it begins the flow. */
  readonly stage: "pipe" | "error" | undefined;
  readonly extra: object | undefined;
  /** What the group before it consists of. */
  readonly members: string | undefined;
  readonly after: readonly NewEdge[] | undefined;
}

export interface FlowPlan {
  /** Id of the job or join whose outcome the flow has. */
  readonly end: string;
  readonly drafts: readonly Draft[];
  readonly joins: readonly NewJoin[];
  /** The ids of all stages, the end last; error handlers are none. */
  readonly stages: readonly string[];
}

/** The draft of a flow that is one job. @throws `TASKQ_UNKNOWN_TASK` */
export function firstDraft(
  engine: Engine,
  { task, input }: Extract<Composition, { kind: "run" }>,
  { id }: CheckedEnqueue,
  now: number,
): Draft {
  if (!engine.tasks.has(task.name)) throw unknownTask(task.name);
  const made = engine.makeId(now);
  return {
    id: id ?? made,
    named: id !== undefined,
    order: id === undefined ? undefined : made,
    definition: task,
    input,
    stage: undefined,
    extra: undefined,
    members: undefined,
    after: undefined,
  };
}

/** Lays a composition out as jobs, joins and edges; an id that was given is that of its end. @throws `TASKQ_UNKNOWN_TASK` `TASKQ_OPTION` */
export function planFlow(
  composition: Composition,
  makeId: () => string,
  options: CheckedEnqueue,
  known: (name: string) => boolean,
): FlowPlan {
  const drafts: Draft[] = [];
  const joins: NewJoin[] = [];
  const stages: string[] = [];
  const groups = new Map<string, string>();

  const add = (
    definition: Definition,
    rest: Omit<Draft, "id" | "named" | "order" | "definition" | "members">,
    isEnd: boolean,
  ): string => {
    if (!known(definition.name)) throw unknownTask(definition.name);
    const named = isEnd && options.id !== undefined;
    const made = makeId();
    const id = named ? options.id : made;
    // A group is laid before what follows it.
    const members = rest.stage === "pipe" ? groups.get(rest.after?.[0]?.source ?? "") : undefined;
    drafts.push({ id, named, order: named ? made : undefined, definition, members, ...rest });
    if (rest.stage !== "error") stages.push(id);
    return id;
  };

  /** @param levels of groups that it may still be made of */
  const lay = (part: Composition, isEnd: boolean, levels: number): string => {
    const { first, links, last } = linksOf(part);
    let end = layFirst(first, isEnd && last === undefined, levels);
    for (const link of links.toReversed()) {
      if (link.kind === "pipe") {
        const after: NewEdge[] = [{ source: end, on: "completed" }];
        end = add(
          link.task,
          { input: undefined, stage: "pipe", extra: link.extra, after },
          isEnd && link === last,
        );
      } else {
        const after: NewEdge[] = [{ source: end, on: "failed" }];
        add(link.handler, { input: undefined, stage: "error", extra: undefined, after }, false);
      }
    }
    return end;
  };

  const layFirst = (part: First, isEnd: boolean, levels: number): string => {
    if (part.kind === "run") {
      return add(
        part.task,
        { input: part.input, stage: undefined, extra: undefined, after: undefined },
        isEnd,
      );
    }
    if (levels === 0) throw tooDeep();
    const members = part.members.map((member) => lay(member, false, levels - 1));
    const named = isEnd && options.id !== undefined;
    const id = named ? options.id : makeId();
    joins.push({ id, ...(named ? { named } : {}), mode: part.mode, members });
    groups.set(id, membersText(part.mode, members, groups));
    stages.push(id);
    return id;
  };

  const end = lay(composition, true, DEEPEST_GROUP);
  return { end, drafts, joins, stages };
}

/** What a part begins with. */
type First = Exclude<Composition, Link>;
/** A stage or an error handler after it. */
type Link = Extract<Composition, { kind: "pipe" | "guarded" }>;

/** Takes a part apart without recursion: it may be thousands of stages long. The links are in reverse; `last` is its last stage. */
function linksOf(part: Composition): { first: First; links: readonly Link[]; last: Link | undefined } {
  const links: Link[] = [];
  let first = part;
  while (first.kind === "pipe" || first.kind === "guarded") {
    links.push(first);
    first = first.kind === "pipe" ? first.before : first.body;
  }
  return { first, links, last: links.find(({ kind }) => kind === "pipe") };
}

function unknownTask(name: string): TaskqError {
  return new TaskqError(
    "TASKQ_UNKNOWN_TASK",
    `this queue has no task named '${name}': give it to createQueue({ tasks })`,
  );
}

function tooDeep(): TaskqError {
  return new TaskqError("TASKQ_OPTION", `group: expected at most ${DEEPEST_GROUP} groups inside each other`);
}
