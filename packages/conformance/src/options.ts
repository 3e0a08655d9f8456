/** What a check may say about a job or a call; the rest is left to default. */
import type { NewFlow, NewJob, StepRequest } from "@taskq/core/storage";

/** A job with everything left to default that a check does not name. */
export interface JobOptions extends Partial<Omit<NewJob, "id" | "due" | "body">> {
  /** Given by the caller: sets `named`. */
  readonly id?: string;
  /** Milliseconds from now. */
  readonly delay?: number;
  /** Instant. */
  readonly due?: number;
  /** Text of the body; the job's number where it does not say. */
  readonly body?: string;
}

/** A claim with everything left to default that a check does not name. */
export interface ClaimOptions {
  /** Jobs that begin at once. @default 1, or the number of ids */
  readonly n?: number;
  /** Jobs claimed ahead. @default 0 */
  readonly ahead?: number;
  /** @default every task of which this context has made a job */
  readonly tasks?: readonly string[];
  readonly owner?: string;
  readonly lease?: number;
  readonly ids?: readonly string[];
}

export type StepOptions = Partial<Omit<StepRequest, "queue" | "now">>;

export interface SettleOptions {
  readonly owner?: string;
  readonly add?: readonly NewFlow[];
  readonly startedAt?: number;
}
