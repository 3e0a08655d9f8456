import { inspect } from "node:util";
import type { EventType, QueueEvent } from "@taskq/core";
import { clockTime, lengthOf, timeAfter } from "./instant.js";
import { printable } from "./printable.js";
import type { Style } from "./style.js";

/** Of the longest, `quarantined`. */
const EVENT_WIDTH = 11;

/** How lines are laid out. */
export interface Columns {
  /** The name of the queue, where there are several. */
  readonly queue: string | undefined;
  /** Of the longest name of a task. */
  readonly taskWidth: number;
}

/** One line for one event: time, what happened, task, id, details. */
export function eventLine(event: QueueEvent, { queue, taskWidth }: Columns, style: Style): string {
  const time = style.dim(clockTime(event.time));
  const type = colour(event.type, style)(event.type.padEnd(EVENT_WIDTH));
  const where = queue === undefined ? "" : `${queue}  `;
  const task = printable(event.task).padEnd(taskWidth);
  const what = printable(details(event));
  return `${time}  ${type}  ${where}${task}  ${style.dim(printable(event.id))}  ${what}`.trimEnd();
}

function colour(type: EventType, style: Style): (text: string) => string {
  if (type === "failed" || type === "quarantined" || type === "lease-lost") return style.red;
  if (type === "retrying" || type === "timeout" || type === "interrupted") return style.yellow;
  return type === "completed" ? style.green : style.dim;
}

function details(event: QueueEvent): string {
  switch (event.type) {
    case "scheduled":
      return `due ${timeAfter(event.time, event.at)}`;
    case "started":
      return event.attempt > 1 ? `run ${event.attempt}` : "";
    case "completed":
      return lengthOf(event.durationMs);
    case "failed":
      return `after ${event.attempt} ${event.attempt === 1 ? "run" : "runs"}: ${problem(event.error)}`;
    case "retrying":
      return `run ${event.attempt}: ${problem(event.error)}; again at ${timeAfter(event.time, event.at)}`;
    case "timeout":
      return `run ${event.attempt} took longer than ${lengthOf(event.timeoutMs)}`;
    case "quarantined":
      return problem(event.error);
    case "cancelled":
    case "skipped":
      return event.reason;
    case "locked":
    case "limited":
      return `waits for ${event.key}`;
    case "lease-lost":
      return "another consumer has it now; what this run answered was refused";
    case "interrupted":
      // What becomes of its job depends on how often that may run and die; where it is over, its end is told as well.
      return `run ${event.attempt} was cut off`;
    case "progress":
      return oneLine(shownValue(event.value));
    case "enqueued":
    case "revoked":
    case "expired":
      return "";
  }
}

/** What JSON has no word for, such as a bigint, may be progress too. */
function shownValue(value: unknown): string {
  try {
    return JSON.stringify(value) ?? "";
  } catch {
    return inspect(value, { breakLength: Infinity });
  }
}

function problem({ name, message }: { readonly name: string; readonly message: string }): string {
  return oneLine(`${name}: ${message}`);
}

function oneLine(text: string): string {
  const line = text.replaceAll(/\s*\n\s*/g, " ");
  return line.length > 200 ? `${line.slice(0, 199)}…` : line;
}
