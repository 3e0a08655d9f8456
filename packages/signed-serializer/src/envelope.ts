/**
 * The envelope of a message, version 1. Numbers are big-endian:
 *
 * mark (0xfd, in no UTF-8) · version (1) · algorithm (1 signed, 2 signed and encrypted) · length and id of the key ·
 * time of sealing (6 bytes of milliseconds) · context: purpose, which parts it has, then namespace, queue, id, task,
 * fence, key, each text with its length · length of the payload (4 bytes) · payload · HMAC-SHA-256 over all before it
 */
import { timingSafeEqual } from "node:crypto";
import { TaskqError, type MessageContext } from "@taskq/core";
import { contextLength, differenceOf, writeContext } from "./context-bytes.js";
import { HIDDEN_OVERHEAD, hide, reveal } from "./encryption.js";
import type { KeyRing, RingKey } from "./key-ring.js";

/** What a message begins with, unlike any JSON and any mark of `compressed`. */
export const MARK = 0xfd;
const VERSION = 1;
const SIGNED = 1;
const ENCRYPTED = 2;
/** Mark, version and algorithm. */
const HEAD_BYTES = 3;
const TIME_BYTES = 6;
const PAYLOAD_LENGTH_BYTES = 4;
const TAG_BYTES = 32;
const LONGEST_ID = 64;
const tag = Buffer.alloc(TAG_BYTES);
const SMALLEST = HEAD_BYTES + 1 + TIME_BYTES + 2 + PAYLOAD_LENGTH_BYTES + TAG_BYTES;

/** Bytes around a content, at most. */
export function largestOverhead(context: MessageContext): number {
  return SMALLEST + LONGEST_ID + contextLength(context) + HIDDEN_OVERHEAD;
}

/** Seals a content with the first key. */
export function seal(
  ring: KeyRing,
  content: Uint8Array,
  context: MessageContext,
  { encrypt, sealedAt }: { readonly encrypt: boolean; readonly sealedAt: number },
): Buffer {
  const key = ring.first;
  const { idBytes } = key;
  const payloadLength = content.length + (encrypt ? HIDDEN_OVERHEAD : 0);
  const contextStart = HEAD_BYTES + idBytes.length + TIME_BYTES;
  const headerLength = contextStart + contextLength(context) + PAYLOAD_LENGTH_BYTES;
  const message = Buffer.allocUnsafe(headerLength + payloadLength + TAG_BYTES);
  message[0] = MARK;
  message[1] = VERSION;
  message[2] = encrypt ? ENCRYPTED : SIGNED;
  message.set(idBytes, HEAD_BYTES);
  message.writeUIntBE(sealedAt, contextStart - TIME_BYTES, TIME_BYTES);
  message.writeUInt32BE(payloadLength, writeContext(message, contextStart, context));
  if (encrypt) hide(key.encrypting(context.purpose), message, headerLength, content);
  else message.set(content, headerLength);
  const end = headerLength + payloadLength;
  key.signing(context.purpose).write(message, end, message, end);
  return message;
}

/** The content of a message that one of the keys has sealed for this context. @throws `TASKQ_SIGNATURE` */
export function open(
  ring: KeyRing,
  message: Buffer,
  context: MessageContext,
): { readonly content: Uint8Array; readonly sealedAt: number } {
  if (message.length < SMALLEST) throw refused(context, "its bytes are cut off");
  if (message[1] !== VERSION) throw refused(context, `its envelope is of an unknown version, ${message[1]}`);
  const key = keyOf(ring, message, context);
  const end = message.length - TAG_BYTES;
  key.signing(context.purpose).write(tag, 0, message, end);
  if (!timingSafeEqual(tag, message.subarray(end))) {
    throw refused(context, "its signature does not fit: it was forged, altered, or is of another purpose");
  }
  const contextStart = HEAD_BYTES + key.idBytes.length + TIME_BYTES;
  const payloadStart = checkedContext(message, contextStart, end, context) + PAYLOAD_LENGTH_BYTES;
  if (message.readUInt32BE(payloadStart - PAYLOAD_LENGTH_BYTES) !== end - payloadStart) {
    throw refused(context, "its length is wrong");
  }
  return {
    content: contentOf(key, message, payloadStart, context),
    sealedAt: message.readUIntBE(contextStart - TIME_BYTES, TIME_BYTES),
  };
}

function keyOf(ring: KeyRing, message: Buffer, context: MessageContext): RingKey {
  const { first } = ring;
  const start = HEAD_BYTES;
  const end = start + 1 + (message[start] as number);
  const isFirst = first.idBytes.compare(message, start, Math.min(end, message.length)) === 0;
  if (isFirst) return first;
  const id = message.toString("latin1", start + 1, end);
  const found = end - start - 1 > LONGEST_ID ? undefined : ring.find(id);
  if (found !== undefined) return found;
  const name = /^[\w.-]{1,64}$/.test(id) ? `'${id}'` : "that is no id";
  throw refused(context, `it was signed with an unknown key, ${name}`);
}

/** Compares the context with the reader's own; answers where it ends. */
function checkedContext(message: Buffer, start: number, limit: number, context: MessageContext): number {
  const length = contextLength(context);
  const expected = Buffer.allocUnsafe(length);
  writeContext(expected, 0, context);
  const end = start + length;
  if (end + PAYLOAD_LENGTH_BYTES > limit || expected.compare(message, start, end) !== 0) {
    const what = differenceOf(message.subarray(start, limit), context);
    throw refused(context, `it was signed for another ${what}`);
  }
  return end;
}

function contentOf(key: RingKey, message: Buffer, start: number, context: MessageContext): Uint8Array {
  const payload = message.subarray(start, message.length - TAG_BYTES);
  if (message[2] === SIGNED) return payload;
  if (message[2] !== ENCRYPTED || payload.length < HIDDEN_OVERHEAD) {
    throw refused(context, `its envelope names an unknown algorithm, ${message[2]}`);
  }
  try {
    return reveal(key.encrypting(context.purpose), message.subarray(0, start), payload);
  } catch (error) {
    throw refused(context, "it cannot be decrypted", error);
  }
}

/** The error for a message that is not accepted, such as `task 'add', id '7': its bytes are cut off`. */
export function refused(context: MessageContext, why: string, cause?: unknown): TaskqError {
  const { purpose, task, key, id } = context;
  const name = task ?? key;
  const subject = `${purpose}${name === undefined ? "" : ` '${name}'`}, id '${id}'`;
  return new TaskqError("TASKQ_SIGNATURE", `${subject}: ${why}`, cause === undefined ? undefined : { cause });
}
