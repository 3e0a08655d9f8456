/**
 * Calls of scripts as bytes: what ioredis would write, made faster. The keys of a queue are the same in every call, and most of
 * what is sent; ioredis looks at each of them twice, and writes it by itself.
 */
import { tracingChannel } from "node:diagnostics_channel";
import { Command, Redis } from "ioredis";
import { hear, type Hearing } from "./call.js";
import type { Client, ClusterClient, Parameter, Reply } from "./client.js";
import type { Script } from "./script.js";

/** What comes before the parameters, by the list of keys, which callers keep, by the hash, and by how many parameters there are. */
const heads = new WeakMap<readonly string[], Map<string, Buffer[]>>();
/** With more parameters it is not kept: few calls have as many as another one. */
const MOST_KEPT = 32;

/** `EVALSHA` of a script, as bytes. Those of texts are written here: a call of a `Buffer` goes through several functions. */
export function framed(script: Script, keys: readonly string[], parameters: readonly Parameter[]): Buffer {
  const head = headOf(script, keys, parameters.length);
  let most = head.length + LONGEST_FRAME;
  for (let place = 0; place < parameters.length; place += 1) {
    const parameter = parameters[place] as Parameter;
    if (typeof parameter === "number") most += LONGEST_FRAME;
    // A UTF-16 unit is three bytes at most.
    else most += LONGEST_FRAME + (typeof parameter === "string" ? parameter.length * 3 : parameter.length);
  }
  const bytes = Buffer.allocUnsafe(most);
  bytes.set(head);
  let at = head.length;
  let text = "";
  for (let place = 0; place < parameters.length; place += 1) {
    const parameter = parameters[place] as Parameter;
    if (typeof parameter !== "object") {
      const word = typeof parameter === "string" ? parameter : String(parameter);
      text += word === "" ? "$0\r\n\r\n" : `$${Buffer.byteLength(word)}\r\n${word}\r\n`;
      continue;
    }
    at += write(`${text}$${parameter.length}\r\n`, bytes, at);
    bytes.set(parameter, at);
    at += parameter.length;
    text = "\r\n";
  }
  at += write(text, bytes, at);
  return bytes.subarray(0, at);
}

/** Of what stands around a parameter, and of a number. */
const LONGEST_FRAME = 48;
/** Longer texts are written quicker by what `Buffer` calls. */
const SHORT = 64;

/** Answers how many bytes it took. */
function write(text: string, bytes: Buffer, at: number): number {
  if (text.length > SHORT) return bytes.write(text, at);
  for (let place = 0; place < text.length; place += 1) {
    const code = text.charCodeAt(place);
    if (code > 127) return bytes.write(text, at);
    bytes[at + place] = code;
  }
  return text.length;
}

function headOf({ sha }: Script, keys: readonly string[], parameters: number): Buffer {
  let known = heads.get(keys);
  if (known === undefined) heads.set(keys, (known = new Map<string, Buffer[]>()));
  let byCount = known.get(sha);
  if (byCount === undefined) known.set(sha, (byCount = []));
  let head = byCount[parameters];
  if (head === undefined) {
    const words = ["evalsha", sha, String(keys.length), ...keys].map(
      (word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`,
    );
    head = Buffer.from(`*${words.length + parameters}\r\n${words.join("")}`);
    if (parameters <= MOST_KEPT) byCount[parameters] = head;
  }
  return head;
}

/** Whether a client takes commands of our ioredis: a user's own may be of another version, and a Cluster looks for the keys. */
export function takesBytes(client: Client | ClusterClient): boolean {
  return client instanceof Redis;
}

/** Sends it, and tells what is replied. */
export function sendBytes(client: Client | ClusterClient, bytes: Buffer, hearing: Hearing): void {
  const redis = client as unknown as Redis;
  if (isKnown && !traced.hasSubscribers) {
    void redis.sendCommand(new HeardCommand(bytes, client, hearing) as unknown as Command);
    return;
  }
  hear(client, hearing, redis.sendCommand(new Framed("evalsha", bytes)) as Promise<unknown>);
}

/** Where ioredis tells of its commands: to those who hear it, each shows a promise. */
const traced = tracingChannel("ioredis:command");

/**
 * The same behind a look at one of its keys, so that those whom its hints reach are written to before the caller: a server writes
 * first to whom it has begun last to reply to. Where they share a CPU with the caller, they need not wait until it has gone on.
 */
export function sendHintsFirst(
  client: Client | ClusterClient,
  bytes: Buffer,
  hearing: Hearing,
  key: string,
): void {
  const redis = client as unknown as Redis;
  let look = looks.get(key);
  if (look === undefined) looks.set(key, (look = lookAt(key)));
  redis.stream.cork();
  void redis.sendCommand(look);
  sendBytes(client, bytes, hearing);
  redis.stream.uncork();
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
  readonly #bytes: Buffer;

  constructor(name: string, bytes: Buffer) {
    super(name, [], { replyEncoding: null });
    this.#bytes = bytes;
  }

  override toWritable(): Buffer {
    return this.#bytes;
  }
}

/**
 * A command without what makes one of ioredis slow: a promise, with the functions that settle it. It has the prototype of those, and
 * the fields that their constructor writes.
 */
class HeardCommand {
  readonly name = "evalsha";
  readonly args: readonly [] = NO_ARGUMENTS;
  readonly inTransaction = false;
  readonly replyEncoding = null;
  readonly transformed = true;
  /** Nobody hears of it: ioredis need not ask again. */
  isTraced = true;
  isResolved = false;
  isSettled = false;
  protocol = 2;
  replyMapping = "legacy";
  #bytes: Buffer;
  readonly #client: Client | ClusterClient;
  readonly #hearing: Hearing;

  constructor(bytes: Buffer, client: Client | ClusterClient, hearing: Hearing) {
    this.#bytes = bytes;
    this.#client = client;
    this.#hearing = hearing;
  }

  toWritable(): Buffer {
    return this.#bytes;
  }

  resolve(reply: unknown): void {
    this.isResolved = true;
    this.isSettled = true;
    // Some commands live on until a full collection: not with what was sent.
    this.#bytes = NOTHING;
    this.#hearing.answered(this.#client, reply as Reply);
  }

  /** Not at once: ioredis is in the midst of giving up the connection, or of taking the command. */
  reject(error: unknown): void {
    this.isSettled = true;
    queueMicrotask(() => this.#hearing.failed(this.#client, error));
  }
}

/** What only a command with a promise or a callback has, or one that failed. */
const OTHERS = ["promise", "callback", "errorStack", "resolve", "reject"];

const NO_ARGUMENTS = [] as const;
Object.setPrototypeOf(HeardCommand.prototype, Command.prototype);

/** Whether commands of this ioredis have the fields that are known here: those of a later one may have others. */
const isKnown = isLike(new Command("evalsha", [], { replyEncoding: null }));

function isLike(command: Command): boolean {
  const fields = new Set([
    ...Object.keys(new HeardCommand(NOTHING, undefined as never, undefined as never)),
    ...OTHERS,
  ]);
  return Object.keys(command).every((field) => fields.has(field));
}
