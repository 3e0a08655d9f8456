/**
 * Calls of scripts as bytes: what ioredis would write, made faster. The keys of a queue are the same in every call, and most of
 * what is sent; ioredis looks at each of them twice, and writes it by itself.
 */
import { tracingChannel } from "node:diagnostics_channel";
import { Command, Redis } from "ioredis";
import { hear, type Hearing } from "./call.js";
import type { Client, ClusterClient, Parameter } from "./client.js";
import { goesDirectly, sendDirectly } from "./direct.js";
import { HeardCommand, isKnown, NOTHING } from "./heard.js";
import type { Script } from "./script.js";

/** What comes before the parameters, by the list of keys, which callers keep, by the hash, and by how many parameters there are, twice. */
const heads = new WeakMap<readonly string[], Map<string, Buffer[]>>();
/** With more parameters it is not kept: few calls have as many as another one. */
const MOST_KEPT = 32;

/**
 * `EVALSHA` of a script, as bytes. Those of texts are written here: a call of a `Buffer` goes through several functions.
 *
 * @param looks whether a look at the first key is to come before it
 */
export function framed(
  script: Script,
  keys: readonly string[],
  parameters: readonly Parameter[],
  looks: boolean,
): Buffer {
  const head = headOf(script, keys, parameters.length, looks);
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

function headOf({ sha }: Script, keys: readonly string[], parameters: number, looks: boolean): Buffer {
  let known = heads.get(keys);
  if (known === undefined) heads.set(keys, (known = new Map<string, Buffer[]>()));
  let byCount = known.get(sha);
  if (byCount === undefined) known.set(sha, (byCount = []));
  const place = parameters * 2 + (looks ? 1 : 0);
  let head = byCount[place];
  if (head === undefined) {
    const words = ["evalsha", sha, String(keys.length), ...keys].map(wordOf);
    const look = looks ? `*2\r\n${wordOf("exists")}${wordOf(keys[0] ?? "")}` : "";
    head = Buffer.from(`${look}*${words.length + parameters}\r\n${words.join("")}`);
    if (parameters <= MOST_KEPT) byCount[place] = head;
  }
  return head;
}

function wordOf(text: string): string {
  return `$${Buffer.byteLength(text)}\r\n${text}\r\n`;
}

/** Whether a client takes commands of our ioredis: a user's own may be of another version, and a Cluster looks for the keys. */
export function takesBytes(client: Client | ClusterClient): boolean {
  return client instanceof Redis;
}

/**
 * Whether a look can be sent with a script: those whom its hints reach are then written to before the caller, since a server writes
 * first to whom it has begun last to reply to. Where they share a CPU with the caller, they need not wait until it has gone on.
 */
export function takesLooks(client: Client | ClusterClient): boolean {
  return mayBeHeard() && goesDirectly(client as unknown as Redis);
}

/** Sends it, and tells what is replied. @param looks whether a look comes before it */
export function sendBytes(
  client: Client | ClusterClient,
  bytes: Buffer,
  hearing: Hearing,
  looks: boolean,
): void {
  const redis = client as unknown as Redis;
  if (!mayBeHeard()) {
    hear(client, hearing, redis.sendCommand(new Framed(bytes)) as Promise<unknown>);
    return;
  }
  const command = new HeardCommand(bytes, client, hearing);
  if (!goesDirectly(redis)) void redis.sendCommand(command as unknown as Command);
  else sendDirectly(redis, command, looks ? new HeardCommand(NOTHING, client, NOBODY) : undefined);
}

/** Where ioredis tells of its commands: to those who hear it, each shows a promise. */
const traced = tracingChannel("ioredis:command");

/** Whether commands may be sent that make no promise. */
function mayBeHeard(): boolean {
  return isKnown && !traced.hasSubscribers;
}

/** Waits for no answer. */
const NOBODY: Hearing = { answered() {}, failed() {} };

class Framed extends Command {
  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    super("evalsha", [], { replyEncoding: null });
    this.#bytes = bytes;
  }

  override toWritable(): Buffer {
    return this.#bytes;
  }
}
