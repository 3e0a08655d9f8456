import type { ValueAnswer, ValueOperation, ValuesRequest } from "@taskq/core/storage";
import { bytesOf } from "./bytes.js";
import type { Connection } from "./connection.js";
import type { Move } from "./move.js";
import type { OpenQueue } from "./open-queue.js";

/** How long the answers to a named call are remembered. */
const REMEMBERED = 600_000;

interface ValueRow {
  readonly bytes: Buffer | null;
  readonly number: number | null;
  readonly expires: number | null;
}

/** Whether a call only reads. */
export function onlyReads({ operations }: ValuesRequest): boolean {
  return operations.every(({ kind }) => kind === "get");
}

/** The answers to a call that only reads. */
export function readValues(
  connection: Connection,
  queue: OpenQueue,
  request: ValuesRequest,
  now: number,
): readonly ValueAnswer[] {
  return request.operations.map(({ key }) => answerOf(valueOf(connection, queue, key, now)));
}

/** Carries out operations in order, or answers as before. */
export function changeValues(move: Move, request: ValuesRequest): readonly ValueAnswer[] {
  const before = answersBefore(move, request.operation);
  if (before !== undefined) return before;
  const answers = request.operations.map((operation) => carryOut(move, operation));
  move
    .sql("INSERT OR REPLACE INTO {operations} (queue, name, time, answer) VALUES (?, ?, ?, ?)")
    .run(move.queue.id, request.operation, move.now, JSON.stringify(answers.map(packed)));
  return answers;
}

function answersBefore(move: Move, operation: string): readonly ValueAnswer[] | undefined {
  const row = move
    .sql("SELECT answer FROM {operations} WHERE queue = ? AND name = ? AND time > ?")
    .get(move.queue.id, operation, move.now - REMEMBERED) as { answer: string } | undefined;
  return row === undefined ? undefined : (JSON.parse(row.answer) as PackedAnswer[]).map(unpacked);
}

type PackedAnswer =
  | Exclude<ValueAnswer, { kind: "bytes" }>
  | { readonly kind: "bytes"; readonly base64: string };

function packed(answer: ValueAnswer): PackedAnswer {
  if (answer.kind !== "bytes") return answer;
  return { kind: "bytes", base64: Buffer.from(answer.bytes).toString("base64") };
}

function unpacked(answer: PackedAnswer): ValueAnswer {
  return answer.kind === "bytes"
    ? { kind: "bytes", bytes: bytesOf(Buffer.from(answer.base64, "base64")) }
    : answer;
}

function valueOf(connection: Connection, queue: OpenQueue, key: string, now: number): ValueRow | undefined {
  return connection
    .sql(
      "SELECT bytes, number, expires FROM {values} WHERE queue = ? AND name = ? AND (expires IS NULL OR expires > ?)",
    )
    .get(queue.id, key, now) as ValueRow | undefined;
}

function carryOut(move: Move, operation: ValueOperation): ValueAnswer {
  const value = valueOf(move.scope.connection, move.queue, operation.key, move.now);
  switch (operation.kind) {
    case "get":
      return answerOf(value);
    case "take":
      remove(move, operation.key);
      return answerOf(value);
    case "delete":
      return { kind: "done", changed: remove(move, operation.key) && value !== undefined };
    case "set-if-absent":
      if (value !== undefined) return { kind: "done", changed: false };
      return set(move, operation);
    case "set":
      return set(move, operation);
    case "compare-and-delete": {
      const number = value?.number ?? undefined;
      const equal = number === undefined ? holds(value, operation.bytes) : number === operation.number;
      return { kind: "done", changed: equal && remove(move, operation.key) };
    }
    case "as-number": {
      const { key, number } = operation;
      const changed = holds(value, operation.bytes);
      if (changed) write(move, { key, bytes: null, number, expires: value?.expires ?? null });
      return { kind: "done", changed };
    }
    case "increment":
      return increment(move, operation, value);
  }
}

function holds(value: ValueRow | undefined, bytes: Uint8Array): boolean {
  const held = value?.bytes ?? undefined;
  return held !== undefined && Buffer.compare(held, bytes) === 0;
}

function remove(move: Move, key: string): boolean {
  return move.sql("DELETE FROM {values} WHERE queue = ? AND name = ?").run(move.queue.id, key).changes > 0;
}

interface Written {
  readonly key: string;
  readonly bytes: Uint8Array | null;
  readonly number: number | null;
  readonly expires: number | null;
}

function write(move: Move, { key, bytes, number, expires }: Written): void {
  move
    .sql("INSERT OR REPLACE INTO {values} (queue, name, bytes, number, expires) VALUES (?, ?, ?, ?, ?)")
    .run(move.queue.id, key, bytes, number, expires);
}

type SetOperation = Extract<ValueOperation, { readonly kind: "set" | "set-if-absent" }>;

function set(move: Move, { key, bytes, expiresAt }: SetOperation): ValueAnswer {
  write(move, { key, bytes, number: null, expires: expiresAt ?? null });
  return { kind: "done", changed: true };
}

type Increment = Extract<ValueOperation, { readonly kind: "increment" }>;

function increment(move: Move, { key, by, expiresAt }: Increment, value: ValueRow | undefined): ValueAnswer {
  if (value !== undefined && value.number === null) return { kind: "not-a-number" };
  const number = (value?.number ?? 0) + by;
  if (Math.abs(number) > Number.MAX_SAFE_INTEGER) return { kind: "not-a-number" };
  write(move, { key, bytes: null, number, expires: expiresAt ?? value?.expires ?? null });
  return { kind: "number", number };
}

function answerOf(value: ValueRow | undefined): ValueAnswer {
  if (value === undefined) return { kind: "none" };
  if (value.number !== null) return { kind: "number", number: value.number };
  return { kind: "bytes", bytes: value.bytes === null ? new Uint8Array(0) : bytesOf(value.bytes) };
}
