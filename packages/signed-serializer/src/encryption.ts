/** AES-256-GCM with a key of its own for each message. */
import { createCipheriv, createDecipheriv, randomFillSync } from "node:crypto";
import type { HmacKey } from "./hmac-key.js";

const SALT_BYTES = 16;
const NONCE_BYTES = 12;
const RANDOM_BYTES = SALT_BYTES + NONCE_BYTES;
const TAG_BYTES = 16;

/** Salt and nonce before the hidden bytes, the tag of GCM behind them. */
export const HIDDEN_OVERHEAD: number = RANDOM_BYTES + TAG_BYTES;

// Asking for random bytes takes longer than hashing a message, so that they are asked for in bulk.
const pool = Buffer.alloc(128 * RANDOM_BYTES);
let used = pool.length;
const INFO = "taskq message key";
const block = Buffer.from(`${INFO}${" ".repeat(SALT_BYTES)}\u0001`, "latin1");
const derived = Buffer.alloc(32);

/** Writes the content, hidden, behind the header, which is authenticated with it. */
export function hide(key: HmacKey, message: Buffer, headerLength: number, content: Uint8Array): void {
  const salt = message.subarray(headerLength, headerLength + SALT_BYTES);
  writeRandom(message, headerLength);
  const nonce = message.subarray(headerLength + SALT_BYTES, headerLength + RANDOM_BYTES);
  const cipher = createCipheriv("aes-256-gcm", messageKey(key, salt), nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(message.subarray(0, headerLength));
  const at = headerLength + RANDOM_BYTES;
  message.set(cipher.update(content), at);
  // GCM keeps nothing back for the end.
  cipher.final();
  message.set(cipher.getAuthTag(), at + content.length);
}

/** What `hide` was given. @throws for bytes that it did not write with that key */
export function reveal(key: HmacKey, header: Uint8Array, hidden: Uint8Array): Buffer {
  const salt = hidden.subarray(0, SALT_BYTES);
  const nonce = hidden.subarray(SALT_BYTES, RANDOM_BYTES);
  const decipher = createDecipheriv("aes-256-gcm", messageKey(key, salt), nonce, {
    authTagLength: TAG_BYTES,
  });
  decipher.setAAD(header);
  decipher.setAuthTag(hidden.subarray(hidden.length - TAG_BYTES));
  const content = decipher.update(hidden.subarray(RANDOM_BYTES, hidden.length - TAG_BYTES));
  decipher.final();
  return content;
}

/**
 * The one block of an HKDF-Expand (RFC 5869, 2.3) with the salt in its info; good until the next one is made, and OpenSSL
 * copies it.
 */
function messageKey(key: HmacKey, salt: Uint8Array): Buffer {
  block.set(salt, INFO.length);
  key.write(derived, 0, block, block.length);
  return derived;
}

function writeRandom(target: Buffer, at: number): void {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  pool.copy(target, at, used, used + RANDOM_BYTES);
  used += RANDOM_BYTES;
}
