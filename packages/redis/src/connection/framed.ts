/**
 * Calls of scripts as bytes: what ioredis would write, made faster. The keys of a queue are the same in every call, and most of
 * what is sent; ioredis looks at each of them twice, and writes it by itself.
 */
import { Command, Redis } from "ioredis";
import type { Client, ClusterClient, Parameter } from "./client.js";
import type { Script } from "./script.js";

/** Hash, number of keys and keys, by the list of keys, which callers keep, and by the hash. */
const heads = new WeakMap<readonly string[], Map<string, string>>();

/** `EVALSHA` of a script, as bytes. */
export function framed(script: Script, keys: readonly string[], parameters: readonly Parameter[]): Buffer {
  const head = headOf(script, keys);
  let text = `*${3 + keys.length + parameters.length}\r\n${head}`;
  let most = 0;
  for (const parameter of parameters) most += typeof parameter === "object" ? parameter.length : 0;
  // A UTF-16 unit is three bytes at most.
  for (const parameter of parameters) most += typeof parameter === "string" ? parameter.length * 3 : 24;
  const bytes = Buffer.allocUnsafe(text.length * 3 + most + parameters.length * 24);
  let at = 0;
  for (const parameter of parameters) {
    if (typeof parameter !== "object") {
      const word = String(parameter);
      text += word === "" ? "$0\r\n\r\n" : `$${Buffer.byteLength(word)}\r\n${word}\r\n`;
      continue;
    }
    at += bytes.write(`${text}$${parameter.length}\r\n`, at);
    at += parameter.copy(bytes, at);
    text = "\r\n";
  }
  at += bytes.write(text, at);
  return bytes.subarray(0, at);
}

function headOf({ sha }: Script, keys: readonly string[]): string {
  let known = heads.get(keys);
  if (known === undefined) heads.set(keys, (known = new Map<string, string>()));
  let head = known.get(sha);
  if (head === undefined) {
    head = ["evalsha", sha, String(keys.length), ...keys]
      .map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`)
      .join("");
    known.set(sha, head);
  }
  return head;
}

/** Whether a client takes commands of our ioredis: a user's own may be of another version, and a Cluster looks for the keys. */
export function takesBytes(client: Client | ClusterClient): boolean {
  return client instanceof Redis;
}

/** Sends it, and answers what is replied. */
export function sendBytes(client: Client | ClusterClient, bytes: Buffer): Promise<unknown> {
  return (client as unknown as Redis).sendCommand(new Framed("evalsha", bytes).once()) as Promise<unknown>;
}

/**
 * The same behind a look at one of its keys, so that those whom its hints reach are written to before the caller: a server writes
 * first to whom it has begun last to reply to. Where they share a CPU with the caller, they need not wait until it has gone on.
 */
export function sendHintsFirst(client: Client | ClusterClient, bytes: Buffer, key: string): Promise<unknown> {
  const redis = client as unknown as Redis;
  let look = looks.get(key);
  if (look === undefined) looks.set(key, (look = lookAt(key)));
  redis.stream.cork();
  void redis.sendCommand(look);
  const replied = sendBytes(client, bytes);
  redis.stream.uncork();
  return replied;
}

/** Nobody waits for what they answer: each is sent again and again. */
const looks = new Map<string, Command>();

function lookAt(key: string): Command {
  const bytes = Buffer.from(`*2\r\n$6\r\nexists\r\n$${Buffer.byteLength(key)}\r\n${key}\r\n`);
  const look = new Framed("exists", bytes);
  look.promise.catch(() => {});
  return look;
}

const NOTHING = Buffer.alloc(0);

class Framed extends Command {
  #bytes: Buffer;

  constructor(name: string, bytes: Buffer) {
    super(name, [], { replyEncoding: null });
    this.#bytes = bytes;
  }

  /** Lets go of its bytes when it is answered: some commands live on until a full collection. */
  once(): this {
    const { resolve } = this;
    this.resolve = (reply) => {
      this.#bytes = NOTHING;
      resolve(reply);
    };
    return this;
  }

  override toWritable(): Buffer {
    return this.#bytes;
  }
}
