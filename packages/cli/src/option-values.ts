/** Values of options, from the texts that a shell gives. */
import { InvalidArgumentError } from "commander";
import { milliseconds } from "@taskq/core/engine";
import type { Duration } from "@taskq/core";

/** That a consumer takes, in milliseconds. */
const SHORTEST_LEASE = 100;
/** That a consumer takes. */
const MOST_WORKERS = 10_000;
const MOST_AHEAD = 10_000;

export function workers(text: string): number {
  return wholeNumber(text, 1, MOST_WORKERS);
}

export function prefetch(text: string): "adaptive" | number {
  return text === "adaptive" ? text : wholeNumber(text, 0, MOST_AHEAD);
}

export function duration(text: string): Duration {
  const value: unknown = /^\d+$/.test(text) ? Number(text) : text;
  try {
    return milliseconds(value as Duration, "duration");
  } catch {
    throw new InvalidArgumentError(
      "Expected a duration such as 30s, 1.5m or 250ms; a bare number is milliseconds.",
    );
  }
}

export function lease(text: string): Duration {
  const length = duration(text);
  if (milliseconds(length, "lease") >= SHORTEST_LEASE) return length;
  throw new InvalidArgumentError(`Expected a duration of at least ${SHORTEST_LEASE}ms.`);
}

export function queueNames(name: string, before: readonly string[] = []): readonly string[] {
  return [...before, name];
}

function wholeNumber(text: string, least: number, most: number): number {
  const value = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw new InvalidArgumentError(`Expected a whole number from ${least} to ${most}.`);
}
