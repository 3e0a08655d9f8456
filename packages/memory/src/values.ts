/** Values by key, beside the jobs. */
import type { ValueAnswer, ValueOperation, ValuesRequest } from "@taskq/core/storage";
import { areEqual, copyOf } from "./bytes.js";
import type { Move, StoredValue } from "./queue-state.js";

/** How long the answers to a named call are remembered. */
const REMEMBERED = 10 * 60 * 1000;

/** Carries out operations in order, or answers as before. */
export function values({ queue, now }: Move, request: ValuesRequest): readonly ValueAnswer[] {
  const before = queue.answered.get(request.operation, now);
  if (before !== undefined) return before.map(copyAnswer);
  const answers = request.operations.map((operation) => carryOut(queue.values, operation, now));
  if (request.operations.some(({ kind }) => kind !== "get")) {
    queue.answered.set(request.operation, answers.map(copyAnswer), now + REMEMBERED, now);
  }
  return answers;
}

type Values = Move["queue"]["values"];

function carryOut(stored: Values, operation: ValueOperation, now: number): ValueAnswer {
  const { key } = operation;
  const value = stored.get(key, now);
  switch (operation.kind) {
    case "get":
      return answerOf(value);
    case "take":
      stored.delete(key, now);
      return answerOf(value);
    case "delete":
      return { kind: "done", changed: stored.delete(key, now) };
    case "set-if-absent":
      if (value !== undefined) return { kind: "done", changed: false };
      return set(stored, operation, now);
    case "set":
      return set(stored, operation, now);
    case "compare-and-delete": {
      const equal =
        value?.kind === "number" ? value.number === operation.number : holds(value, operation.bytes);
      return { kind: "done", changed: equal && stored.delete(key, now) };
    }
    case "as-number": {
      const changed = holds(value, operation.bytes);
      const number: StoredValue = { kind: "number", number: operation.number };
      if (changed) stored.set(key, number, stored.until(key, now) ?? Infinity, now);
      return { kind: "done", changed };
    }
    case "increment":
      return increment(stored, operation, value, now);
  }
}

function holds(value: StoredValue | undefined, bytes: Uint8Array): boolean {
  return value?.kind === "bytes" && areEqual(value.bytes, bytes);
}

type Set = Extract<ValueOperation, { readonly kind: "set" | "set-if-absent" }>;

function set(stored: Values, { key, bytes, expiresAt }: Set, now: number): ValueAnswer {
  stored.set(key, { kind: "bytes", bytes: copyOf(bytes) }, expiresAt ?? Infinity, now);
  return { kind: "done", changed: true };
}

type Increment = Extract<ValueOperation, { readonly kind: "increment" }>;

function increment(
  stored: Values,
  { key, by, expiresAt }: Increment,
  value: StoredValue | undefined,
  now: number,
): ValueAnswer {
  if (value?.kind === "bytes") return { kind: "not-a-number" };
  const number = (value?.number ?? 0) + by;
  if (Math.abs(number) > Number.MAX_SAFE_INTEGER) return { kind: "not-a-number" };
  stored.set(key, { kind: "number", number }, expiresAt ?? stored.until(key, now) ?? Infinity, now);
  return { kind: "number", number };
}

function answerOf(value: StoredValue | undefined): ValueAnswer {
  if (value === undefined) return { kind: "none" };
  return value.kind === "number" ? value : { kind: "bytes", bytes: copyOf(value.bytes) };
}

function copyAnswer(answer: ValueAnswer): ValueAnswer {
  return answer.kind === "bytes" ? { kind: "bytes", bytes: copyOf(answer.bytes) } : answer;
}
