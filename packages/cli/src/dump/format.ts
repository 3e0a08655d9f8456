/**
 * The lines of a dump: JSON, one a line, bytes as `{"base64":"…"}`. First the header, then the records of a move, last the
 * trailer, which tells how many records there are and has the SHA-256 of all bytes before it, so that a cut or changed file is told.
 */
import type { MoveCounts, MovedRecord } from "@taskq/core/storage";

/** Of the header; another one is read by another version of taskq. */
export const FORMAT = 1;

export interface DumpHeader {
  readonly taskq: "dump";
  readonly format: typeof FORMAT;
  /** Names this dump. */
  readonly id: string;
  readonly queue: string;
  /** The prefix of tables or keys, which signatures are bound to. */
  readonly namespace: string;
  /** Whether what it holds is signed, or encrypted. */
  readonly signed: boolean;
  /** ISO 8601, by the clock of the process that took it. */
  readonly time: string;
  readonly epoch: number;
  /** By kind. */
  readonly counts: MoveCounts;
}

export interface DumpTrailer {
  readonly end: true;
  readonly records: number;
  /** In hex. */
  readonly sha256: string;
}

/** With its line feed. */
export function lineOf(value: DumpHeader | MovedRecord | DumpTrailer): string {
  return `${JSON.stringify(value, encoded)}\n`;
}

/** Looks at the value itself: a Buffer would have been turned into a list of its bytes. */
function encoded(this: Readonly<Record<string, unknown>>, name: string, part: unknown): unknown {
  const value = this[name];
  if (value instanceof Uint8Array) {
    return { base64: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("base64") };
  }
  if (typeof part === "number" && !Number.isFinite(part)) throw new RangeError(`a record holds ${part}`);
  return part;
}

/** What a line holds, bytes as bytes. @throws SyntaxError */
export function valueOf(line: string): unknown {
  return JSON.parse(line, (_, part: unknown) => decoded(part));
}

function decoded(part: unknown): unknown {
  if (typeof part !== "object" || part === null || !("base64" in part)) return part;
  const { base64 } = part;
  if (typeof base64 !== "string" || Object.keys(part).length !== 1) return part;
  const bytes = Buffer.from(base64, "base64");
  if (bytes.toString("base64") !== base64) throw new SyntaxError("what should be base64 is not");
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
