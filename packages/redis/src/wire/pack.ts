/** MessagePack, as far as requests need it: what the scripts are given as one argument. */

const FIRST_SIZE = 16_384;
/** A larger one is not kept. */
const KEPT_SIZE = 1_048_576;
/** What requests are written into, one after the other: each is as long as it is. */
let spare: Buffer | undefined;

/** Bytes of one request. Entries that are `undefined` are left out. */
export function pack(value: unknown): Buffer {
  const writer = new Writer();
  writer.value(value);
  return writer.bytes();
}

/** Writes values one behind the other. */
export class Writer {
  #buffer: Buffer;
  #size = 0;

  constructor() {
    this.#buffer = spare ?? Buffer.allocUnsafeSlow(FIRST_SIZE);
    spare = undefined;
  }

  /** All that was written. Ends it: nothing is written any more. */
  bytes(): Buffer {
    const bytes = Buffer.allocUnsafe(this.#size);
    this.#buffer.copy(bytes, 0, 0, this.#size);
    if (this.#buffer.length <= KEPT_SIZE) spare = this.#buffer;
    this.#buffer = bytes;
    return bytes;
  }

  /** The head of a list of so many values, which are to follow. */
  list(length: number): void {
    this.#head(length, 0x90, 15, 0xdc);
  }

  value(value: unknown): void {
    switch (typeof value) {
      case "string":
        return this.#text(value);
      case "number":
        return this.#number(value);
      case "boolean":
        return this.#byte(value ? 0xc3 : 0xc2);
      case "object":
        if (value === null) return this.#byte(0xc0);
        // Not by its class, which is another one where a test stands in for a page (jsdom).
        if (ArrayBuffer.isView(value)) return this.#raw(value as Uint8Array);
        if (Array.isArray(value)) return this.#list(value);
        return this.#record(value as Readonly<Record<string, unknown>>);
      default:
        return this.#byte(0xc0);
    }
  }

  #list(list: readonly unknown[]): void {
    this.#head(list.length, 0x90, 15, 0xdc);
    for (const item of list) this.value(item);
  }

  #record(record: Readonly<Record<string, unknown>>): void {
    let size = 0;
    for (const key in record) if (record[key] !== undefined) size += 1;
    this.#head(size, 0x80, 15, 0xde);
    for (const key in record) {
      const value = record[key];
      if (value === undefined) continue;
      this.#text(key);
      this.value(value);
    }
  }

  #text(text: string): void {
    // A UTF-16 unit is three bytes at most.
    this.#reserve(text.length * 3 + 5);
    if (text.length < 32 && this.#ascii(text)) return;
    const written = this.#buffer.write(text, this.#size + 5);
    this.#buffer[this.#size] = 0xdb;
    this.#buffer.writeUInt32BE(written, this.#size + 1);
    this.#size += 5 + written;
  }

  /** Most texts are short, and ASCII: one character after the other is quicker. Whether it was. */
  #ascii(text: string): boolean {
    const buffer = this.#buffer;
    const from = this.#size + 1;
    for (let at = 0; at < text.length; at += 1) {
      const code = text.charCodeAt(at);
      if (code > 127) return false;
      buffer[from + at] = code;
    }
    buffer[this.#size] = 0xa0 | text.length;
    this.#size = from + text.length;
    return true;
  }

  /** As text, which to the scripts is bytes. */
  #raw(bytes: Uint8Array): void {
    const { length } = bytes;
    this.#reserve(length + 5);
    const buffer = this.#buffer;
    if (length < 32) {
      buffer[this.#size++] = 0xa0 | length;
      // Few bytes are quicker one by one.
      for (let at = 0; at < length; at += 1) buffer[this.#size + at] = bytes[at] ?? 0;
      this.#size += length;
      return;
    }
    if (length < 256) {
      buffer[this.#size++] = 0xd9;
      buffer[this.#size++] = length;
    } else {
      buffer[this.#size] = 0xdb;
      buffer.writeUInt32BE(length, this.#size + 1);
      this.#size += 5;
    }
    buffer.set(bytes, this.#size);
    this.#size += length;
  }

  #number(value: number): void {
    this.#reserve(9);
    if (Number.isInteger(value) && value >= 0 && value < 128) {
      this.#buffer[this.#size] = value;
      this.#size += 1;
      return;
    }
    this.#buffer[this.#size] = 0xcb;
    this.#buffer.writeDoubleBE(value, this.#size + 1);
    this.#size += 9;
  }

  #head(size: number, short: number, most: number, long: number): void {
    this.#reserve(5);
    if (size <= most) {
      this.#buffer[this.#size] = short | size;
      this.#size += 1;
    } else if (size < 0x1_0000) {
      this.#buffer[this.#size] = long;
      this.#buffer.writeUInt16BE(size, this.#size + 1);
      this.#size += 3;
    } else {
      this.#buffer[this.#size] = long + 1;
      this.#buffer.writeUInt32BE(size, this.#size + 1);
      this.#size += 5;
    }
  }

  #byte(value: number): void {
    this.#reserve(1);
    this.#buffer[this.#size] = value;
    this.#size += 1;
  }

  #reserve(more: number): void {
    if (this.#size + more <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#size + more));
    this.#buffer.copy(larger, 0, 0, this.#size);
    this.#buffer = larger;
  }
}
