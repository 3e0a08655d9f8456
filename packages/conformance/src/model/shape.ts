/** What a random flow looks like, and how it becomes rows. */
import type {
  EdgeCondition,
  NewEdge,
  NewFlow,
  NewGate,
  NewJob,
  NewJoin,
  NewUnique,
} from "@taskq/core/storage";
import { bytes } from "../bytes.js";

export interface JobShape {
  readonly kind: "job";
  readonly task: string;
  readonly priority: number;
  /** Milliseconds from now. */
  readonly delay: number;
  /** Milliseconds from now. */
  readonly expires: number | undefined;
  readonly delivery: NewJob["delivery"];
  readonly gates: readonly NewGate[] | undefined;
  readonly unique: UniqueShape | undefined;
  /** Milliseconds. */
  readonly keep: number | undefined;
}

export interface UniqueShape extends Omit<NewUnique, "until"> {
  /** A number: milliseconds from now. */
  readonly until: NewUnique["until"];
}

export interface ChainShape {
  readonly kind: "chain";
  readonly stages: readonly Shape[];
  readonly on: EdgeCondition;
}

export interface GroupShape {
  readonly kind: "group";
  readonly mode: NewJoin["mode"];
  readonly members: readonly Shape[];
}

/** With an error handler upon its end. */
export interface GuardedShape {
  readonly kind: "guarded";
  readonly part: Shape;
  readonly handler: JobShape;
}

export type Shape = JobShape | ChainShape | GroupShape | GuardedShape;

/** What ids and instants a flow is made with. */
export interface Making {
  readonly now: number;
  readonly makeId: () => string;
  /** Of the end, where the caller gives it. */
  readonly name: string | undefined;
  /** What the first jobs wait for. */
  readonly after: readonly NewEdge[];
}

/** Whether it is a job that waits for nothing but its turn. */
export function isPlainShape(shape: Shape): boolean {
  return shape.kind === "job" && shape.gates === undefined && shape.unique === undefined;
}

/** The rows of a flow of this shape. */
export function makeFlow(shape: Shape, making: Making): NewFlow {
  const flow = new FlowMaking(making);
  const { end } = flow.add(shape, making.after);
  return flow.named(end);
}

interface Placed {
  readonly end: string;
}

class FlowMaking {
  readonly #making: Making;
  readonly #jobs: NewJob[] = [];
  readonly #joins: NewJoin[] = [];

  constructor(making: Making) {
    this.#making = making;
  }

  add(shape: Shape, after: readonly NewEdge[]): Placed {
    switch (shape.kind) {
      case "job":
        return this.#addJob(shape, after);
      case "chain":
        return this.#addChain(shape, after);
      case "group": {
        const members = shape.members.map((member) => this.add(member, after).end);
        const id = this.#making.makeId();
        this.#joins.push({ id, mode: shape.mode, members });
        return { end: id };
      }
      case "guarded": {
        const placed = this.add(shape.part, after);
        this.#addJob(shape.handler, [{ source: placed.end, on: "failed" }]);
        return placed;
      }
    }
  }

  /** The flow, with the caller's name for its end, where there is one and the end is a job. */
  named(end: string): NewFlow {
    const { name } = this.#making;
    if (name === undefined || !this.#jobs.some((job) => job.id === end)) {
      return { end, jobs: this.#jobs, joins: this.#joins };
    }
    const rename = (id: string): string => (id === end ? name : id);
    const jobs = this.#jobs.map((job) => ({
      ...job,
      id: rename(job.id),
      named: job.id === end,
      after: job.after?.map((edge) => ({ ...edge, source: rename(edge.source) })),
    }));
    return { end: name, jobs, joins: this.#joins };
  }

  #addJob(shape: JobShape, after: readonly NewEdge[]): Placed {
    const { now, makeId } = this.#making;
    const { delay, expires, unique, keep, kind: _, ...rest } = shape;
    const id = makeId();
    this.#jobs.push({
      ...rest,
      id,
      named: false,
      body: bytes(`body of ${id}`),
      due: now + delay,
      expiresAt: expires === undefined ? undefined : now + delay + expires,
      after: after.length === 0 ? undefined : after,
      unique: uniqueOf(unique, now),
      keep: keep === undefined ? undefined : { completed: keep, failed: undefined },
    });
    return { end: id };
  }

  #addChain({ stages, on }: ChainShape, after: readonly NewEdge[]): Placed {
    let edges = after;
    let placed: Placed | undefined;
    for (const stage of stages) {
      placed = this.add(stage, edges);
      edges = [{ source: placed.end, on }];
    }
    if (placed === undefined) throw new RangeError("a chain has at least one stage");
    return placed;
  }
}

/** The key of a shape, from this instant on. */
export function uniqueOf(unique: UniqueShape | undefined, now: number): NewUnique | undefined {
  return unique === undefined ? undefined : { ...unique, until: instant(unique.until, now) };
}

function instant(until: NewUnique["until"], now: number): NewUnique["until"] {
  return typeof until === "number" ? now + until : until;
}

/** The shape in a few words. */
export function describeShape(shape: Shape): string {
  switch (shape.kind) {
    case "job":
      return describeJob(shape);
    case "chain":
      return `chain[${shape.on}](${shape.stages.map(describeShape).join(" > ")})`;
    case "group":
      return `group[${shape.mode}](${shape.members.map(describeShape).join(", ")})`;
    case "guarded":
      return `${describeShape(shape.part)} !> ${describeJob(shape.handler)}`;
  }
}

function describeJob(job: JobShape): string {
  const words = [job.task];
  if (job.priority !== 0) words.push(`priority ${job.priority}`);
  if (job.delay > 0) words.push(`in ${job.delay}`);
  if (job.expires !== undefined) words.push(`expires ${job.expires}`);
  if (job.delivery === "at-most-once") words.push("at most once");
  for (const gate of job.gates ?? []) words.push(`${gate.kind} ${gate.key} ${gate.onBusy}`);
  if (job.unique !== undefined) {
    words.push(`unique ${job.unique.key} ${job.unique.onConflict} until ${job.unique.until}`);
  }
  return words.join(" ");
}
