/** Where the bytes belong; a serializer that signs binds them to it. */
export interface MessageContext {
  readonly purpose: "task" | "result" | "error" | "value" | "event" | "schedule" | "note";
  /** The storage's table or key prefix. */
  readonly namespace: string;
  readonly queue: string;
  /** The id of the job, or the name of the schedule. */
  readonly id: string;
  readonly task?: string;
  readonly fence?: number;
  /** Of a value. */
  readonly key?: string;
}

/**
 * Values to bytes and back. Synchronous, and the same bytes for the same value.
 *
 * The bytes answered by `encode` are never changed or reused afterwards; those given to `decode` are
 * only read.
 *
 * @throws `TASKQ_INPUT` on what cannot travel, and on bytes that it did not write
 *
 * @example
 * const base64 = (inner: Serializer): Serializer => ({
 *   id: `base64(${inner.id})`,
 *   encode: (value, context) => Buffer.from(Buffer.from(inner.encode(value, context)).toString("base64")),
 *   decode: (bytes, context) => inner.decode(Buffer.from(Buffer.from(bytes).toString(), "base64"), context),
 * });
 */
export interface Serializer {
  /** Names the format in errors and in `doctor`. */
  readonly id: string;
  encode(value: unknown, context: MessageContext): Uint8Array;
  decode(bytes: Uint8Array, context: MessageContext): unknown;
}
