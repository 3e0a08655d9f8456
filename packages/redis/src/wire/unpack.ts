/** MessagePack, as far as answers of the scripts need it. */
import { TaskqError } from "@taskq/core/storage";

/** What a script answers. */
export type Answer = number | boolean | string | Uint8Array | undefined | readonly Answer[] | AnswerRecord;
export interface AnswerRecord {
  readonly [name: string]: Answer;
}

/** Lua knows one kind of string: these names hold bytes, all others text. */
const BYTES: ReadonlySet<string> = new Set(["body", "bytes", "error", "rows"]);

/** Lists and records inside each other: several times as many as any script answers. */
const DEEPEST = 64;

/** The value that these bytes stand for. @throws `TASKQ_STORAGE` for bytes that were cut off or never packed */
export function unpack(bytes: Buffer): Answer {
  return new Reader(bytes).value(false);
}

/**
 * Values one behind the other; the one at this place holds bytes, if it is a string.
 *
 * @throws `TASKQ_STORAGE`
 */
export function unpackAll(bytes: Buffer, raw: number): Answer[] {
  const reader = new Reader(bytes);
  const values: Answer[] = [];
  while (!reader.isDone) values.push(reader.value(values.length === raw));
  return values;
}

/** Reads what is packed from the first byte to the last. Whatever it is asked throws `TASKQ_STORAGE` for what was never packed. */
export class Reader {
  readonly #bytes: Buffer;
  #end: number;
  #at = 0;
  #depth = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.#end = bytes.length;
  }

  get isDone(): boolean {
    return this.#at >= this.#end;
  }

  /** Where the next value begins. */
  get at(): number {
    return this.#at;
  }

  /** Goes on there, and reads nothing from this place on. */
  within(from: number, end: number): void {
    this.#at = from;
    this.#end = end;
  }

  /** Reads how many values the list has that follows. */
  listSize(): number {
    return this.#size(0x90, 0xdc);
  }

  /** Reads how long the text is that follows, and passes it: it ends where the reader is then. */
  passText(): number {
    const size = this.#size(0xa0, 0xda);
    this.#skip(size);
    return size;
  }

  /** Whether a text follows; passes what is none, which nobody wants to know. */
  hasText(): boolean {
    const kind = this.#bytes[this.#at] ?? 0;
    if ((kind >= 0xa0 && kind < 0xc0) || (kind >= 0xd9 && kind <= 0xdb)) return true;
    this.value(true);
    return false;
  }

  /** Passes so many values, mostly of one byte. */
  pass(count: number): void {
    for (let left = count; left > 0; left -= 1) {
      const kind = this.#bytes[this.#at] ?? 0;
      if (kind < 0x80 || kind === 0xc0 || kind >= 0xe0) this.#skip(1);
      else this.value(true);
    }
  }

  /** The size of a list or a text: by the kinds of its short form, and of that with two bytes. */
  #size(short: number, long: number): number {
    const bytes = this.#bytes;
    const kind = bytes[this.#skip(1)] ?? 0;
    const most = short === 0xa0 ? 31 : 15;
    if (kind >= short && kind <= short + most) return kind - short;
    if (kind === 0xd9 && short === 0xa0) return bytes.readUInt8(this.#skip(1));
    if (kind === long) return bytes.readUInt16BE(this.#skip(2));
    if (kind === long + 1) return bytes.readUInt32BE(this.#skip(4));
    throw damaged();
  }

  value(raw: boolean): Answer {
    const bytes = this.#bytes;
    const kind = bytes[this.#skip(1)] ?? 0;
    if (kind < 0x80) return kind;
    if (kind < 0x90) return this.#record(kind & 15);
    if (kind < 0xa0) return this.#list(kind & 15, raw);
    if (kind < 0xc0) return this.#text(kind & 31, raw);
    if (kind >= 0xe0) return kind - 256;
    switch (kind) {
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xca:
        return bytes.readFloatBE(this.#skip(4));
      case 0xcb:
        return bytes.readDoubleBE(this.#skip(8));
      case 0xcc:
        return bytes.readUInt8(this.#skip(1));
      case 0xcd:
        return bytes.readUInt16BE(this.#skip(2));
      case 0xce:
        return bytes.readUInt32BE(this.#skip(4));
      case 0xcf:
        return this.#long();
      case 0xd0:
        return bytes.readInt8(this.#skip(1));
      case 0xd1:
        return bytes.readInt16BE(this.#skip(2));
      case 0xd2:
        return bytes.readInt32BE(this.#skip(4));
      case 0xd3:
        return Number(bytes.readBigInt64BE(this.#skip(8)));
      case 0xd9:
        return this.#text(bytes.readUInt8(this.#skip(1)), raw);
      case 0xda:
        return this.#text(bytes.readUInt16BE(this.#skip(2)), raw);
      case 0xdb:
        return this.#text(bytes.readUInt32BE(this.#skip(4)), raw);
      case 0xdc:
        return this.#list(bytes.readUInt16BE(this.#skip(2)), raw);
      case 0xdd:
        return this.#list(bytes.readUInt32BE(this.#skip(4)), raw);
      case 0xde:
        return this.#record(bytes.readUInt16BE(this.#skip(2)));
      case 0xdf:
        return this.#record(bytes.readUInt32BE(this.#skip(4)));
      case 0xc0:
        return undefined;
      default:
        throw damaged();
    }
  }

  /** Without a `BigInt`: each claimed job has such a fence. */
  #long(): number {
    const at = this.#skip(8);
    return this.#bytes.readUInt32BE(at) * 2 ** 32 + this.#bytes.readUInt32BE(at + 4);
  }

  #skip(count: number): number {
    const at = this.#at;
    this.#at += count;
    if (this.#at > this.#end) throw damaged();
    return at;
  }

  /** Each item takes a byte at least: a number of them that cannot be is refused before anything is made of it. */
  #enter(size: number): void {
    this.#depth += 1;
    if (this.#depth > DEEPEST || size > this.#end - this.#at) throw damaged();
  }

  #text(size: number, raw: boolean): string | Uint8Array {
    const from = this.#skip(size);
    // A copy of its own, so that the whole answer is not kept for a part of it.
    if (raw) return new Uint8Array(this.#bytes.subarray(from, from + size));
    return this.#bytes.toString("utf8", from, from + size);
  }

  #list(size: number, raw: boolean): readonly Answer[] {
    this.#enter(size);
    const list: Answer[] = [];
    for (let index = 0; index < size; index += 1) list.push(this.value(raw));
    this.#depth -= 1;
    return list;
  }

  #record(size: number): AnswerRecord {
    this.#enter(size);
    const record: Record<string, Answer> = {};
    for (let index = 0; index < size; index += 1) {
      const name = this.value(false);
      if (typeof name !== "string") throw damaged();
      const value = this.value(BYTES.has(name));
      // Assigning it would set the prototype of the record.
      if (name === "__proto__") Object.defineProperty(record, name, { value, enumerable: true });
      else record[name] = value;
    }
    this.#depth -= 1;
    return record;
  }
}

function damaged(): TaskqError {
  return new TaskqError(
    "TASKQ_STORAGE",
    "redis: an answer or a stored row is damaged: expected what the scripts of taskq pack",
  );
}
