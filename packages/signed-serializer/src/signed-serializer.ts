import { TaskqError, type MessageContext, type Seal, type SealedContent, type Serializer } from "@taskq/core";
import { maxSizeOf, rememberMaxSize } from "@taskq/core/engine";
import { largestOverhead, MARK, open, refused, seal } from "./envelope.js";
import type { SignedSerializerOptions } from "./options.js";
import { checkedOptions, type Settings } from "./settings.js";

/**
 * Signs what a serializer makes, by HMAC-SHA-256, for the place where it is stored: nobody without a key can make a
 * message, alter one, or have it taken for another job, queue, task, run, value or purpose. Bytes are verified before
 * anything in them is inflated or parsed. What is refused is quarantined if it is a job, and throws where it is read.
 *
 * The first key signs, all of them verify. To rotate: add the new key at the end everywhere, then move it to the front,
 * then take the old one out when nothing signed with it is left.
 *
 * With `encrypt` the content is hidden as well, by AES-256-GCM with a key of its own for each message. Ids, names of
 * queues and tasks, keys of values, times and states stay readable. A serializer reads what was signed with the same
 * keys, encrypted or not.
 *
 * What this does not stop (deleting, delaying, repeating): the threat model in the documentation.
 *
 * @throws `TASKQ_OPTION` for a secret under 32 bytes or two keys of one id; encoding and decoding what the serializer
 *   inside throws, decoding `TASKQ_SIGNATURE` for what no key signed for that place, or too long ago
 *
 * @example
 * const queue = createQueue({ storage, tasks, serializer: signedSerializer({ secret: process.env.TASKQ_SECRET! }) });
 */
export function signedSerializer(options: SignedSerializerOptions): Serializer {
  const settings = checkedOptions(options);
  return around(settings, settings.serializer);
}

function around(settings: Settings, inner: Serializer): Serializer {
  const { encrypt, ring } = settings;
  const maxSize = maxSizeOf(inner);
  const own: Seal = {
    inner,
    around: (other) => around(settings, other),
    open: (bytes, context) => opened(settings, maxSize, bytes, context),
    close: (content, context, sealedAt = Date.now()) => seal(ring, content, context, { encrypt, sealedAt }),
    hideName: encrypt ? (name, queue) => ring.hideName(name, queue) : undefined,
  };
  const outer: Serializer = {
    id: `${inner.id}+${encrypt ? "encrypted" : "signed"}`,
    seal: own,
    encode: (value, context) => own.close(inner.encode(value, context), context),
    decode(bytes, context) {
      const { content, sealedAt } = own.open(bytes, context);
      if (sealedAt !== undefined) checkAge(settings.maxAge, sealedAt, context);
      return inner.decode(content, context);
    },
  };
  return rememberMaxSize(outer, maxSize);
}

function opened(
  { ring, acceptUnsigned, warn }: Settings,
  maxSize: number,
  bytes: Uint8Array,
  context: MessageContext,
): SealedContent {
  if (bytes[0] !== MARK) {
    if (!acceptUnsigned) throw refused(context, "it is not signed");
    warn(
      `taskq: an unsigned message was accepted: ${context.purpose}, queue '${context.queue}', id '${context.id}'`,
    );
    return { content: bytes, sealedAt: undefined };
  }
  // A byte more is what `compressed` may need.
  const limit = maxSize + 1 + largestOverhead(context);
  if (bytes.length > limit) {
    throw new TaskqError(
      "TASKQ_TOO_LARGE",
      `${context.purpose}, id '${context.id}': takes ${bytes.length} bytes; the limit is ${limit} bytes`,
    );
  }
  return open(ring, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), context);
}

/**
 * Jobs and values could be put back as they once were. A result, an error or a note is bound to its run, which has no
 * other; a schedule stands until it is changed.
 */
function checkAge(maxAge: number | undefined, sealedAt: number, context: MessageContext): void {
  if (maxAge === undefined || (context.purpose !== "task" && context.purpose !== "value")) return;
  const age = Date.now() - sealedAt;
  if (age > maxAge) throw refused(context, `it was signed ${age} ms ago; the longest is ${maxAge} ms`);
}
