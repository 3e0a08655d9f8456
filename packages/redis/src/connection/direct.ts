/**
 * Past ioredis where nothing is in the way: what our commands are, and what their replies are, is known, and each of ioredis's
 * goes through thirty functions for what it might be. Commands of both stand in its own queue, in the order in which they were sent, so
 * whatever is not known here is left to it, from where it begins.
 */
import type { Redis } from "ioredis";
import type { Client, Reply } from "./client.js";
import { HeardCommand, isKnown, NOTHING } from "./heard.js";

/** What ioredis keeps of a command that it has sent. */
interface Sent {
  readonly command: unknown;
  readonly stream: undefined;
  readonly select: number;
}

/** What is used of a client's inside. */
interface Inside {
  readonly status: string;
  readonly stream: NodeJS.WritableStream & NodeJS.ReadableStream;
  readonly commandQueue: {
    peekFront(): Sent | undefined;
    shift(): Sent | undefined;
    push(sent: Sent): unknown;
    length: number;
  };
  readonly condition: { readonly select: number; readonly subscriber: unknown };
  emit(event: string, ...values: readonly unknown[]): boolean;
}

/** Clients whose replies are read here. */
const read = new WeakSet<Inside["stream"]>();

/** Whether a command that is sent now need not go through ioredis. */
export function goesDirectly(redis: Redis): boolean {
  const { status, stream } = redis as unknown as Inside;
  return status === "ready" && read.has(stream) && stream.writable;
}

/** Sends one of ours. @param before whose reply comes before, and whose bytes those of the command begin with */
export function sendDirectly(redis: Redis, command: HeardCommand, before: HeardCommand | undefined): void {
  const { stream, commandQueue, condition } = redis as unknown as Inside;
  const { select } = condition;
  stream.write(command.toWritable());
  if (before !== undefined) commandQueue.push({ command: before, stream: undefined, select });
  commandQueue.push({ command, stream: undefined, select });
}

/** Reads the replies of a client from when it connects on. */
export function readDirectly(client: Client): Client {
  client.on("connect", () => {
    const inside = client as unknown as Inside;
    const { stream } = inside;
    const [reader, ...others] = stream.listeners("data") as Reader[];
    if (!isKnown || reader === undefined || others.length > 0 || !hasQueue(inside)) {
      // By ioredis's way of listening a socket does not know that somebody does, and keeps each piece until the next tick.
      stream.on("data", () => {});
      return;
    }
    const replies = new Replies(inside, reader);
    stream.on("data", (data: Buffer) => replies.read(data));
    stream.off("data", reader);
    read.add(stream);
  });
  return client;
}

type Reader = (data: Buffer) => void;

function hasQueue({ commandQueue: queue, condition }: Partial<Inside>): boolean {
  if (queue === undefined || typeof condition?.select !== "number") return false;
  return ["peekFront", "shift", "push"].every((name) => typeof queue[name as "push"] === "function");
}

const [TEXT, NUMBER, LIST, RETURN, MINUS, ZERO, NINE] = [0x24, 0x3a, 0x2a, 0x0d, 0x2d, 0x30, 0x39] as const;
/** Scripts answer lists of lists at most; what is deeper is left to ioredis. */
const MOST_LEVELS = 8;

/** The begin of a larger reply goes to ioredis: it keeps what comes in parts better. */
const MOST_KEPT = 65_536;

/** What ioredis tells of published messages of these kinds. */
const MESSAGES: ReadonlyMap<string, string> = new Map([
  ["message", "messageBuffer"],
  ["smessage", "smessageBuffer"],
]);

/** What comes in on one socket. */
class Replies {
  readonly #inside: Inside;
  /** Of ioredis. */
  readonly #reader: Reader;
  /** Whether ioredis has no part of a reply of which the rest is still to come. */
  #isInStep = false;
  /** A part of a reply may have gone to ioredis, and nothing will tell when it has the rest. */
  #isLost = false;
  /** The begin of a reply of ours. */
  #kept: Buffer = NOTHING;
  #data: Buffer = NOTHING;
  /** Up to where it has been read. */
  #at = 0;
  /** Whether the rest of what was read last is still to come. */
  #isCut = false;

  constructor(inside: Inside, reader: Reader) {
    this.#inside = inside;
    this.#reader = reader;
  }

  /** Replies go to our commands, up to the first that is something else. */
  read(data: Buffer): void {
    if (!this.#isInStep) return this.#leave(data);
    const all = this.#kept.length === 0 ? data : Buffer.concat([this.#kept, data]);
    this.#kept = NOTHING;
    let from = 0;
    this.#begin(all);
    while (from < all.length && this.#readOne()) from = this.#at;
    this.#data = NOTHING;
    if (from === all.length) return;
    const rest = from === 0 ? all : all.subarray(from);
    if (this.#isCut && rest.length < MOST_KEPT) this.#kept = rest;
    else this.#leave(rest);
  }

  #begin(data: Buffer): void {
    this.#data = data;
    this.#at = 0;
    this.#isCut = false;
  }

  #leave(data: Buffer): void {
    this.#reader(data);
    const { commandQueue, condition } = this.#inside;
    // Messages come unasked: only what they are says whether the last one was whole.
    if (Boolean(condition.subscriber) && !this.#isWhole(data)) this.#isLost = true;
    this.#isInStep = commandQueue.length === 0 && !this.#isLost;
  }

  /** Whether the last reply in it has its end. */
  #isWhole(data: Buffer): boolean {
    this.#begin(data);
    while (this.#at < data.length && this.#value(MOST_LEVELS) !== undefined);
    this.#data = NOTHING;
    return this.#at === data.length;
  }

  /** Whether the next reply was whole, and ours. */
  #readOne(): boolean {
    const { commandQueue: queue, condition } = this.#inside;
    const sent = queue.peekFront();
    if (sent === undefined) return Boolean(condition.subscriber) && this.#tell(this.#value(MOST_LEVELS));
    const { command } = sent;
    if (!(command instanceof HeardCommand)) return false;
    const reply = this.#value(MOST_LEVELS);
    if (reply === undefined) return false;
    queue.shift();
    command.resolve(reply);
    return true;
  }

  /** Tells of a message, as ioredis does to those who want bytes; others do not listen to our clients. */
  #tell(reply: Reply | undefined): boolean {
    if (!Array.isArray(reply) || reply.length !== 3) return false;
    const [kind, channel, message] = reply as readonly Reply[];
    const event = Buffer.isBuffer(kind) ? MESSAGES.get(kind.toString("latin1")) : undefined;
    if (event === undefined) return false;
    this.#inside.emit(event, channel, message);
    return true;
  }

  /** A text, a number or a list; `undefined`: it is cut, or something else. */
  #value(levels: number): Reply | undefined {
    const data = this.#data;
    const kind = data[this.#at];
    if (kind !== TEXT && kind !== NUMBER && kind !== LIST) return this.#none(kind === undefined);
    const number = this.#number();
    if (number === undefined || kind === NUMBER) return number;
    if (number < 0) return null;
    if (kind === LIST) return levels === 0 ? undefined : this.#list(number, levels - 1);
    const begin = this.#at;
    const end = begin + number;
    if (end + 2 > data.length) return this.#none(true);
    this.#at = end + 2;
    return data.subarray(begin, end);
  }

  #list(length: number, levels: number): Reply | undefined {
    const list: Reply[] = [];
    for (let place = 0; place < length; place += 1) {
      const value = this.#value(levels);
      if (value === undefined) return undefined;
      list.push(value);
    }
    return list;
  }

  /** Behind the kind, to the end of the line. */
  #number(): number | undefined {
    const data = this.#data;
    let at = this.#at + 1;
    const isNegative = data[at] === MINUS;
    if (isNegative) at += 1;
    let number = 0;
    for (let code = data[at]; code !== RETURN; code = data[at]) {
      if (code === undefined || code < ZERO || code > NINE) return this.#none(code === undefined);
      number = number * 10 + code - ZERO;
      at += 1;
    }
    if (at + 2 > data.length) return this.#none(true);
    this.#at = at + 2;
    return isNegative ? -number : number;
  }

  #none(isCut: boolean): undefined {
    if (isCut) this.#isCut = true;
    return undefined;
  }
}
