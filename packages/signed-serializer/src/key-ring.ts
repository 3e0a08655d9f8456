/** Keys for each use, made from the secrets by HKDF-SHA-256 (RFC 5869). */
import { createHmac, hkdfSync } from "node:crypto";
import type { MessageContext } from "@taskq/core";
import { HmacKey } from "./hmac-key.js";

/** A secret under its id, and what is made from it for each purpose, once. */
export interface RingKey {
  readonly id: string;
  /** The id with its length before it, as it stands in a message. */
  readonly idBytes: Buffer;
  /** Signs messages of a purpose. */
  signing(purpose: MessageContext["purpose"]): HmacKey;
  /** What the keys of single messages are made from. */
  encrypting(purpose: MessageContext["purpose"]): HmacKey;
}

/** The first key signs, all of them verify. */
export class KeyRing {
  readonly first: RingKey;
  readonly #keys: ReadonlyMap<string, RingKey>;
  readonly #names: Buffer;

  constructor(secrets: ReadonlyMap<string, Buffer>, nameSecret: Buffer | undefined) {
    const keys = [...secrets].map(([id, secret]) => ringKey(id, secret));
    this.#keys = new Map(keys.map((key) => [key.id, key]));
    this.first = keys[0] as RingKey;
    this.#names = derived(nameSecret ?? ([...secrets.values()][0] as Buffer), "names");
  }

  find(id: string): RingKey | undefined {
    return this.#keys.get(id);
  }

  /** A name of a queue as a keyed hash; the same for the same name. */
  hideName(name: string, queue: string): string {
    const text = JSON.stringify([queue, name]);
    return `#${createHmac("sha256", this.#names).update(text).digest("base64url")}`;
  }
}

function ringKey(id: string, secret: Buffer): RingKey {
  const signing = onceEach((purpose) => new HmacKey(derived(secret, `sign ${purpose}`)));
  const encrypting = onceEach((purpose) => new HmacKey(derived(secret, `encrypt ${purpose}`)));
  return { id, idBytes: Buffer.from(String.fromCharCode(id.length) + id, "latin1"), signing, encrypting };
}

function onceEach(make: (purpose: string) => HmacKey): (purpose: string) => HmacKey {
  const made = new Map<string, HmacKey>();
  return (purpose) => {
    let key = made.get(purpose);
    if (key === undefined) made.set(purpose, (key = make(purpose)));
    return key;
  };
}

function derived(secret: Buffer, use: string): Buffer {
  return Buffer.from(hkdfSync("sha256", secret, "", `taskq signed-serializer 1 ${use}`, 32));
}
