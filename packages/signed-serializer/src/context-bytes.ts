/** Where a message belongs, as bytes: no two contexts have the same ones. */
import { TaskqError, type MessageContext } from "@taskq/core";

const PURPOSES: Readonly<Record<MessageContext["purpose"], number>> = {
  task: 1,
  result: 2,
  error: 3,
  value: 4,
  event: 5,
  schedule: 6,
  note: 7,
};
const HAS_TASK = 1;
const HAS_FENCE = 2;
const HAS_KEY = 4;
const LONGEST_TEXT = 0xffff;
/** Purpose and flags. */
const HEAD = 2;
const LENGTH_BYTES = 2;
const FENCE_BYTES = 8;
const LONE_SURROGATE = /\p{Surrogate}/u;
const TWO_TO_32 = 0x1_0000_0000;

/** How many bytes the context takes. */
export function contextLength({ namespace, queue, id, task, fence, key }: MessageContext): number {
  return (
    HEAD +
    textLength(namespace) +
    textLength(queue) +
    textLength(id) +
    (task === undefined ? 0 : textLength(task)) +
    (fence === undefined ? 0 : FENCE_BYTES) +
    (key === undefined ? 0 : textLength(key))
  );
}

function textLength(text: string): number {
  return LENGTH_BYTES + Buffer.byteLength(text);
}

/** Writes the context, each text with its length before it; answers where it ends. */
export function writeContext(out: Buffer, start: number, context: MessageContext): number {
  const { namespace, queue, id, task, fence, key } = context;
  out[start] = PURPOSES[context.purpose];
  out[start + 1] =
    (task === undefined ? 0 : HAS_TASK) |
    (fence === undefined ? 0 : HAS_FENCE) |
    (key === undefined ? 0 : HAS_KEY);
  let at = writeText(out, start + HEAD, namespace);
  at = writeText(out, at, queue);
  at = writeText(out, at, id);
  if (task !== undefined) at = writeText(out, at, task);
  if (fence !== undefined) {
    out.writeUInt32BE(Math.floor(fence / TWO_TO_32), at);
    at = out.writeUInt32BE(fence % TWO_TO_32, at + FENCE_BYTES / 2);
  }
  return key === undefined ? at : writeText(out, at, key);
}

function writeText(out: Buffer, at: number, text: string): number {
  const length = out.write(text, at + LENGTH_BYTES);
  // Lone surrogates would all be written as one character, so that two texts had the same bytes.
  if (length > LONGEST_TEXT || (length !== text.length && LONE_SURROGATE.test(text))) {
    throw new TaskqError(
      "TASKQ_INPUT",
      `a name cannot be signed: expected well-formed text of at most ${LONGEST_TEXT} bytes, got ${length} bytes`,
    );
  }
  out[at] = length >>> 8;
  out[at + 1] = length & 0xff;
  return at + LENGTH_BYTES + length;
}

/** What the first difference of two contexts is about; the bytes may be any. */
export function differenceOf(found: Uint8Array, context: MessageContext): string {
  if (found[0] !== PURPOSES[context.purpose]) return "purpose";
  const bytes = Buffer.from(found.buffer, found.byteOffset, found.byteLength);
  let at = HEAD;
  for (const name of ["namespace", "queue", "id", "task"] as const) {
    const wanted = context[name];
    if (wanted === undefined || at + LENGTH_BYTES > bytes.length) break;
    const end = at + LENGTH_BYTES + bytes.readUInt16BE(at);
    if (bytes.toString("utf8", at + LENGTH_BYTES, end) !== wanted) return name;
    at = end;
  }
  return context.fence === undefined ? "key" : "run";
}
