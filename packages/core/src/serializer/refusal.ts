import { TaskqError } from "../errors.js";
import type { MessageContext } from "./serializer.js";

/** Why a value or bytes are refused; becomes an error once it is known what they belong to. */
export interface Refusal {
  readonly code: "TASKQ_INPUT" | "TASKQ_TOO_LARGE";
  readonly reason: string;
  /** The steps to the place, outermost first; absent when the reason concerns the whole. */
  readonly path?: string[];
}

const longestPath = 200;

/** The error of a refusal, such as `task 'add', id '7': input.user.callback is a function`. */
export function refusalError(
  { code, reason, path }: Refusal,
  context: MessageContext,
  cause?: unknown,
): TaskqError {
  const where = path === undefined ? "" : `${placeOf(path)} `;
  const options = cause === undefined ? undefined : { cause };
  return new TaskqError(code, `${subjectOf(context)}: ${where}${reason}`, options);
}

export function tooManyBytes(actual: number, limit: number): Refusal {
  return { code: "TASKQ_TOO_LARGE", reason: `takes ${actual} bytes; the limit is ${limit} bytes` };
}

/** The walk stops where the limit is passed, so that it knows no more than a lower bound. */
export function atLeastBytes(atLeast: number, limit: number): Refusal {
  return {
    code: "TASKQ_TOO_LARGE",
    reason: `takes at least ${atLeast} bytes; the limit is ${limit} bytes`,
  };
}

export function tooDeep(limit: number, path?: string[]): Refusal {
  const reason = `nests at least ${limit + 1} levels deep; the limit is ${limit} levels`;
  return { code: "TASKQ_TOO_LARGE", reason, ...(path && { path }) };
}

function subjectOf({ purpose, task, key, id }: MessageContext): string {
  const name = task ?? key;
  return `${purpose}${name === undefined ? "" : ` '${name}'`}, id '${id}'`;
}

function placeOf(path: readonly string[]): string {
  const place = path.join("").replace(/^\./, "");
  if (place === "") return "the value";
  return place.length > longestPath ? `${place.slice(0, longestPath)}…` : place;
}
