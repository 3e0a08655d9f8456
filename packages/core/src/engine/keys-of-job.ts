/** What a job waits by: gates and a unique key, fixed or made from its input. */
import type { NewGate, NewUnique } from "../storage.js";
import type { CheckedKey, CheckedUnique } from "../task-options.js";
import type { Engine } from "./engine-types.js";
import type { Policy } from "./policy.js";
import { storedName } from "./stored-name.js";
import { keyFrom } from "./unique-key.js";

/** Whether some of its keys are made from the input: then a stage has none before its turn comes. */
export function isKeyedLate({ lock, concurrency, limit, unique }: Policy): boolean {
  return (
    typeof lock?.key === "function" ||
    typeof concurrency?.key === "function" ||
    typeof limit?.key === "function" ||
    (unique !== undefined && typeof unique.key !== "string")
  );
}

/**
 * The gates of a job.
 *
 * @param value the input as the schema parsed it
 * @throws `TASKQ_OPTION` for a key that is no text, and what a function of the input throws
 */
export function gatesOf(
  engine: Engine,
  { lock, limit, concurrency }: Policy,
  task: string,
  value: unknown,
): readonly NewGate[] | undefined {
  if (lock === undefined && limit === undefined && concurrency === undefined) return undefined;
  const named = (key: CheckedKey, what: string): string =>
    storedName(engine, keyFrom(key, value, `task '${task}' ${what}`));
  const gates: NewGate[] = [];
  if (lock !== undefined) {
    const key = named(lock.key, "lock");
    gates.push({ kind: "lock", key, max: 1, per: undefined, onBusy: lock.onBusy });
  }
  if (concurrency !== undefined) {
    const key = named(concurrency.key ?? task, "concurrency");
    gates.push({ kind: "concurrency", key, max: concurrency.max, per: undefined, onBusy: "wait" });
  }
  if (limit !== undefined) {
    const key = named(limit.key ?? task, "limit");
    gates.push({ kind: "limit", key, max: limit.max, per: limit.perMs, onBusy: limit.onLimit });
  }
  return gates;
}

interface UniqueParts {
  readonly task: string;
  /** The input as the schema parsed it. */
  readonly value: unknown;
  /** From which a key that is taken for a time is taken. */
  readonly now: number;
  /** The key where none is named: a hash of the encoded input. */
  readonly hash: () => string;
}

const UNTIL = { waiting: "started", unfinished: "final" } as const;

/** The unique key of a job. @throws as `gatesOf` does */
export function uniqueOf(engine: Engine, unique: CheckedUnique, parts: UniqueParts): NewUnique {
  const { task, value, now, hash } = parts;
  const key = unique.key === undefined ? hash() : keyFrom(unique.key, value, `task '${task}' unique key`);
  return {
    // Of this task alone: two tasks may both call a key 'all'.
    key: `${task}:${storedName(engine, key)}`,
    until: typeof unique.while === "number" ? now + unique.while : UNTIL[unique.while],
    onConflict: unique.onConflict,
  };
}
