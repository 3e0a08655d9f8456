/** The bytes of a job: a versioned envelope around its input and all that decides what runs. */
import { TaskqError } from "../errors.js";
import type { BackoffData } from "../backoff.js";
import type { MessageContext, Serializer } from "../serializer/serializer.js";
import type { JobGuards } from "../storage.js";
import type { JobHeaders } from "../vocabulary/enqueue-options.js";
import { isRecord } from "./is-record.js";

/** The version of the envelope that this release writes, and the newest it reads. */
export const MESSAGE_VERSION = 1;

/** What a job's bytes hold. */
export interface JobMessage {
  readonly v: number;
  readonly task: string;
  /** Of a job that begins a flow. */
  readonly input?: unknown;
  /** `pipe`: the input is the output of the stage before; `error`: a report of the failure before. */
  readonly stage?: "pipe" | "error";
  /** Fields given beside the output of the stage before. */
  readonly extra?: object;
  /** Of a stage behind a group: what the group consists of, as `membersOf` tells it. */
  readonly members?: string;
  /** What this one job was enqueued with, beside its task's options. */
  readonly options?: MessageOptions;
  readonly headers?: JobHeaders;
  /** Of a job that a schedule made: the instant it stands for, in epoch milliseconds. */
  readonly instant?: number;
  /** Of the input's shape. @default 1 */
  readonly version?: number;
  readonly expiresAt?: number;
  readonly delivery?: "at-most-once";
  /**
   * Of a stage whose keys are made from its input: from which runs before it they were made; empty before that.
   */
  readonly keyed?: string;
  /** The same as stored outside the bytes. */
  readonly guards?: JobGuards;
}

export interface MessageOptions {
  readonly retries?: number;
  readonly timeout?: number;
  readonly backoff?: BackoffData;
}

/** @throws `TASKQ_INPUT` and others for bytes that are no message of ours: the job is to be quarantined */
export function decodeMessage(
  serializer: Serializer,
  bytes: Uint8Array,
  context: MessageContext,
): JobMessage {
  const value = serializer.decode(bytes, context);
  if (!isRecord(value) || typeof value["v"] !== "number" || typeof value["task"] !== "string") {
    throw new TaskqError(
      "TASKQ_INPUT",
      "the stored job is no message of taskq: expected an object with v and task",
    );
  }
  if (value["v"] > MESSAGE_VERSION || value["v"] < 1) {
    throw new TaskqError(
      "TASKQ_INPUT",
      `the stored job has envelope version ${value["v"]}; this release reads up to ${MESSAGE_VERSION}`,
    );
  }
  return value as unknown as JobMessage;
}

/** What stands outside the bytes of a claimed job and must agree with what is inside. */
export interface Outside {
  readonly task: string;
  readonly expiresAt: number | undefined;
  readonly delivery: "at-least-once" | "at-most-once";
  readonly guards: JobGuards | undefined;
}

/** The name of the first thing that differs inside and outside, or `undefined`. */
export function difference(message: JobMessage, outside: Outside): string | undefined {
  if (message.task !== outside.task) return "task";
  if (message.expiresAt !== outside.expiresAt) return "expiry";
  if ((message.delivery ?? "at-least-once") !== outside.delivery) return "delivery";
  if (message.guards === undefined && outside.guards === undefined) return undefined;
  return sameGuards(message.guards, outside.guards) ? undefined : "gates, unique key or edges";
}

const NO_GUARDS: JobGuards = { gates: [], unique: undefined, after: [] };

function sameGuards(inside: JobGuards = NO_GUARDS, outside: JobGuards = NO_GUARDS): boolean {
  return (
    inside.unique === outside.unique &&
    sameTexts(inside.gates, outside.gates) &&
    // A run may have added flows to wait for, behind the edges that were signed.
    sameTexts(inside.after, outside.after.slice(0, inside.after.length))
  );
}

function sameTexts(left: readonly string[], right: readonly string[]): boolean {
  return left.length === right.length && left.every((text, index) => text === right[index]);
}
