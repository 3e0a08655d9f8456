/** Where the bytes belong; a serializer that signs binds them to it. */
export interface MessageContext {
  readonly purpose: "task" | "result" | "error" | "value" | "event" | "schedule" | "note";
  /** The storage's table or key prefix. */
  readonly namespace: string;
  readonly queue: string;
  /** The id of the job, or the name of the schedule. */
  readonly id: string;
  readonly task?: string;
  /** Of what one run left: a result, an error, a note. */
  readonly fence?: number;
  /** Of a value; of a note, its kind. */
  readonly key?: string;
}

/**
 * Values to bytes and back. Synchronous, and the same bytes for the same value; one with a `seal` may write others each
 * time, and then the bytes inside are the same.
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
  /** Of a serializer that protects what another one makes, as `signedSerializer` does. @default none */
  readonly seal?: Seal | undefined;
  encode(value: unknown, context: MessageContext): Uint8Array;
  /** What was encoded. The bytes may be a part of a larger `ArrayBuffer`: they begin at `bytes.byteOffset` of `bytes.buffer`. */
  decode(bytes: Uint8Array, context: MessageContext): unknown;
}

/** Whether it looks like one. */
export function isSerializer(value: unknown): value is Serializer {
  const given = value as Partial<Serializer> | null | undefined;
  return typeof given?.encode === "function" && typeof given.decode === "function";
}

/**
 * How a serializer protects bytes that another one makes. Whoever must not work on protected bytes reaches those inside
 * by it: `compressed` goes inside, so that nothing is inflated that was not verified; unique keys and
 * `compareAndDelete` compare what is inside; a queue that moves is sealed anew for where it goes.
 */
export interface Seal {
  /** Makes the bytes inside. */
  readonly inner: Serializer;
  /** The same protection around the bytes of another serializer. */
  around(inner: Serializer): Serializer;
  /** What is inside, however long ago it was sealed. @throws `TASKQ_SIGNATURE` */
  open(bytes: Uint8Array, context: MessageContext): SealedContent;
  /** @param sealedAt epoch milliseconds. @default now */
  close(content: Uint8Array, context: MessageContext, sealedAt?: number): Uint8Array;
  /** Under which name a lock, limit or unique key of a queue is stored. @default its own */
  readonly hideName?: ((name: string, queue: string) => string) | undefined;
}

/** What was found inside a seal. */
export interface SealedContent {
  readonly content: Uint8Array;
  /** Epoch milliseconds; `undefined`: it was never sealed, and is accepted all the same. */
  readonly sealedAt: number | undefined;
}
