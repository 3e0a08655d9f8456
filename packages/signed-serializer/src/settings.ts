/** The options of `signedSerializer`, checked; no error of theirs tells a secret. */
import { types } from "node:util";
import { jsonSerializer, TaskqError, type Duration, type Logger, type Serializer } from "@taskq/core";
import { flag, milliseconds, refuseUnknown, unexpected } from "@taskq/core/engine";
import { KeyRing } from "./key-ring.js";
import type { SignedSerializerOptions } from "./options.js";

export interface Settings {
  readonly serializer: Serializer;
  readonly ring: KeyRing;
  readonly encrypt: boolean;
  /** In milliseconds. */
  readonly maxAge: number | undefined;
  readonly acceptUnsigned: boolean;
  readonly warn: (message: string) => void;
}

const KNOWN = ["keys", "secret", "serializer", "encrypt", "nameSecret", "maxAge", "acceptUnsigned", "logger"];
const KEY_ID = /^[A-Za-z0-9._-]{1,64}$/;
const SMALLEST_SECRET = 32;
const WHAT = "signedSerializer";

/** @throws `TASKQ_OPTION` */
export function checkedOptions(options: SignedSerializerOptions): Settings {
  if (typeof options !== "object" || options === null) {
    // What came may be the secret.
    throw new TaskqError(
      "TASKQ_OPTION",
      `${WHAT}: expected an object with keys or secret, got ${kind(options)}`,
    );
  }
  refuseUnknown(options, KNOWN, WHAT);
  const { encrypt = false, acceptUnsigned = false, maxAge, nameSecret } = options;
  flag(encrypt, `${WHAT}: encrypt`);
  if (nameSecret !== undefined && !encrypt) {
    throw new TaskqError("TASKQ_OPTION", `${WHAT}: nameSecret is of use only with encrypt: true`);
  }
  return {
    serializer: checkedSerializer(options.serializer),
    ring: new KeyRing(
      checkedKeys(options),
      nameSecret === undefined ? undefined : secretBytes(nameSecret, `${WHAT}: nameSecret`),
    ),
    encrypt,
    maxAge: maxAge === undefined ? undefined : checkedAge(maxAge),
    acceptUnsigned: flag(acceptUnsigned, `${WHAT}: acceptUnsigned`),
    warn: warnerOf(options.logger),
  };
}

function checkedSerializer(serializer: Serializer | undefined): Serializer {
  if (serializer === undefined) return jsonSerializer();
  const isOne = typeof serializer?.encode === "function" && typeof serializer.decode === "function";
  if (!isOne) throw unexpected(`${WHAT}: serializer`, "a serializer with encode() and decode()", serializer);
  if (serializer.seal === undefined) return serializer;
  throw new TaskqError(
    "TASKQ_OPTION",
    `${WHAT}: serializer: expected one that is not signed itself, got '${serializer.id}'`,
  );
}

function checkedAge(maxAge: Duration): number {
  const age = milliseconds(maxAge, `${WHAT}: maxAge`);
  if (age > 0) return age;
  throw unexpected(`${WHAT}: maxAge`, "a duration of at least 1 ms", maxAge);
}

function checkedKeys({ keys, secret }: SignedSerializerOptions): Map<string, Buffer> {
  if (secret !== undefined && keys === undefined) {
    return new Map([["default", secretBytes(secret, `${WHAT}: secret`)]]);
  }
  if (secret !== undefined)
    throw new TaskqError("TASKQ_OPTION", `${WHAT}: expected keys or secret, got both`);
  if (keys === undefined) {
    throw new TaskqError(
      "TASKQ_OPTION",
      `${WHAT}: expected keys or secret, got neither; the variable that it is read from may be unset`,
    );
  }
  if (!Array.isArray(keys) || keys.length === 0) {
    const came = Array.isArray(keys) ? "an empty list" : kind(keys);
    throw new TaskqError("TASKQ_OPTION", `${WHAT}: keys: expected a list of at least one key, got ${came}`);
  }
  const checked = new Map<string, Buffer>();
  for (const [index, key] of (keys as readonly unknown[]).entries()) {
    const what = `${WHAT}: keys[${index}]`;
    if (typeof key !== "object" || key === null) {
      throw new TaskqError(
        "TASKQ_OPTION",
        `${what}: expected an object with id and secret, got ${kind(key)}`,
      );
    }
    refuseUnknown(key, ["id", "secret"], what);
    const { id, secret: own } = key as { readonly id?: unknown; readonly secret?: unknown };
    if (typeof id !== "string" || !KEY_ID.test(id)) {
      throw unexpected(`${what}.id`, "1 to 64 letters, digits, '.', '_' or '-'", id);
    }
    if (checked.has(id)) throw new TaskqError("TASKQ_OPTION", `${what}.id: two keys have the id '${id}'`);
    checked.set(id, secretBytes(own, `${what}.secret`));
  }
  return checked;
}

/** A copy, so that what the caller does with its bytes later changes nothing. */
function secretBytes(secret: unknown, what: string): Buffer {
  if (typeof secret !== "string" && !types.isUint8Array(secret)) {
    throw new TaskqError(
      "TASKQ_OPTION",
      `${what}: expected a text or bytes of at least ${SMALLEST_SECRET} bytes, got ${kind(secret)}`,
    );
  }
  const bytes = Buffer.from(secret as Uint8Array);
  if (bytes.length >= SMALLEST_SECRET) return bytes;
  throw new TaskqError(
    "TASKQ_OPTION",
    `${what}: expected at least ${SMALLEST_SECRET} bytes, got ${bytes.length}; 'openssl rand -base64 32' makes a good one`,
  );
}

/** Names what came without showing it. */
function kind(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  return Array.isArray(value) ? "a list" : `a value of type ${typeof value}`;
}

function warnerOf(logger: Pick<Logger, "warn"> | undefined): Settings["warn"] {
  if (logger === undefined) return warnProcess;
  if (typeof logger?.warn !== "function") {
    throw unexpected(`${WHAT}: logger`, "a logger with warn()", logger);
  }
  // One that breaks makes nothing unreadable: its job would be quarantined.
  return (message) => {
    try {
      const answer: unknown = logger.warn(message);
      Promise.resolve(answer).catch(() => warnProcess(message));
    } catch {
      warnProcess(message);
    }
  };
}

function warnProcess(message: string): void {
  process.emitWarning(message, { type: "TaskqWarning", code: "TASKQ_UNSIGNED" });
}
