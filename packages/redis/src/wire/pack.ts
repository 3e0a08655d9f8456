/** MessagePack, as far as requests need it: what the scripts are given as one argument. */

const FIRST_SIZE = 2048;
const encoder = new TextEncoder();

/** Bytes of one request. Entries that are `undefined` are left out. */
export function pack(value: unknown): Buffer {
  const writer = new Writer();
  writer.value(value);
  return writer.bytes();
}

/** Writes values one behind the other. */
export class Writer {
  #buffer = Buffer.allocUnsafe(FIRST_SIZE);
  #size = 0;

  bytes(): Buffer {
    return this.#buffer.subarray(0, this.#size);
  }

  /** The head of a list of so many values, which are to follow. */
  list(length: number): void {
    this.#head(length, 0x90, 15, 0xdc);
  }

  /** Values that the scripts see as one text. */
  nested(values: readonly unknown[]): void {
    this.#reserve(5);
    const at = this.#size;
    this.#size += 5;
    for (const value of values) this.value(value);
    this.#buffer[at] = 0xdb;
    this.#buffer.writeUInt32BE(this.#size - at - 5, at + 1);
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
        if (value instanceof Uint8Array) return this.#raw(value);
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
    const most = text.length * 3;
    this.#reserve(most + 5);
    if (most < 32) {
      const { written } = encoder.encodeInto(text, this.#buffer.subarray(this.#size + 1));
      this.#buffer[this.#size] = 0xa0 | written;
      this.#size += 1 + written;
      return;
    }
    const { written } = encoder.encodeInto(text, this.#buffer.subarray(this.#size + 5));
    this.#buffer[this.#size] = 0xdb;
    this.#buffer.writeUInt32BE(written, this.#size + 1);
    this.#size += 5 + written;
  }

  /** As text, which to the scripts is bytes. */
  #raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length + 5);
    this.#buffer[this.#size] = 0xdb;
    this.#buffer.writeUInt32BE(bytes.length, this.#size + 1);
    this.#buffer.set(bytes, this.#size + 5);
    this.#size += 5 + bytes.length;
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
