/** Reads a dump line by line, and tells at which line it is none. */
import { createHash } from "node:crypto";
import type { MovedRecord } from "@taskq/core/storage";
import { printable } from "../printable.js";
import { UserError } from "../user-error.js";
import { CountedRecords } from "./counted-records.js";
import { FORMAT, valueOf, type DumpHeader, type DumpTrailer } from "./format.js";
import { wrongRecord } from "./shapes.js";

/** What is read, with the number of its line; the header is the first. */
export type DumpPart =
  | { readonly kind: "header"; readonly header: DumpHeader }
  | { readonly kind: "record"; readonly record: MovedRecord; readonly line: number };

const LINE_FEED = 10;
/** Bytes of a line, at most: two of the largest messages as base64, and as much again. */
const LONGEST_LINE = 384 * 1_048_576;
/** As `Date` tells it. */
const ISO_TIME = /^[\d+-]+-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
/** Of the file, as messages name it. */
const SHOWN = 60;

/**
 * The parts of a dump. It ends only once the trailer has been read and fits all that came before.
 *
 * @param name Of the file, for messages.
 * @throws {UserError} with the number of the line
 */
export async function* readDump(bytes: AsyncIterable<Buffer>, name: string): AsyncGenerator<DumpPart> {
  const hash = createHash("sha256");
  const records = new CountedRecords();
  let header: DumpHeader | undefined;
  let trailer: DumpTrailer | undefined;
  let number = 0;
  const tooLong = (): UserError =>
    new UserError(`${name}, line ${number + 1}: longer than any line of a dump`);
  for await (const line of linesOf(bytes, tooLong)) {
    number += 1;
    const refuse = (why: string): UserError => new UserError(`${name}, line ${number}: ${why}`);
    if (trailer !== undefined) throw refuse("expected nothing behind the end of the dump");
    if (!line.ended) throw refuse("the dump is cut off in the middle of this line");
    const value = parsed(line.bytes, refuse);
    if (header === undefined) {
      header = headerOf(value, line.bytes, refuse);
      yield { kind: "header", header };
    } else if (isTrailer(value))
      trailer = checkedTrailer(value, records.count, hash.copy().digest("hex"), refuse);
    else {
      const wrong = wrongRecord(value);
      if (wrong !== undefined) throw refuse(printable(wrong));
      const record = value as MovedRecord;
      records.add(record);
      yield { kind: "record", record, line: number };
    }
    hash.update(line.bytes).update("\n");
  }
  if (header === undefined) throw new UserError(`${name} is empty, and no dump of taskq`);
  if (trailer === undefined)
    throw new UserError(`${name}, line ${number}: the dump is cut off behind this line`);
  const differs = records.differsFrom(header.counts);
  if (differs !== undefined) throw new UserError(`${name}: the header counts ${printable(differs)}`);
}

interface Line {
  readonly bytes: Buffer;
  /** By a line feed. */
  readonly ended: boolean;
}

/** By line feeds alone: what else ends a line in a text may stand in one of JSON. */
async function* linesOf(chunks: AsyncIterable<Buffer>, tooLong: () => UserError): AsyncGenerator<Line> {
  let parts: Buffer[] = [];
  let length = 0;
  for await (const chunk of chunks) {
    let from = 0;
    for (let end = chunk.indexOf(LINE_FEED); end >= 0; end = chunk.indexOf(LINE_FEED, from)) {
      parts.push(chunk.subarray(from, end));
      yield { bytes: parts.length === 1 ? (parts[0] ?? chunk) : Buffer.concat(parts), ended: true };
      parts = [];
      length = 0;
      from = end + 1;
    }
    if (from === chunk.length) continue;
    parts.push(chunk.subarray(from));
    length += chunk.length - from;
    // Without line feeds, all of a file would be one line.
    if (length > LONGEST_LINE) throw tooLong();
  }
  if (parts.length > 0) yield { bytes: Buffer.concat(parts), ended: false };
}

type Refuse = (why: string) => UserError;

function parsed(line: Buffer, refuse: Refuse): unknown {
  try {
    return valueOf(line.toString("utf8"));
  } catch {
    throw refuse(`expected a line of JSON, got ${shortened(line)}`);
  }
}

function shortened(line: Buffer): string {
  const start = line.subarray(0, 4 * SHOWN).toString("utf8");
  const text = start.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029\uFFFD]+/gu, "?");
  return text === "" ? "an empty one" : `'${text.length > SHOWN ? `${text.slice(0, SHOWN - 1)}…` : text}'`;
}

function headerOf(value: unknown, line: Buffer, refuse: Refuse): DumpHeader {
  const { taskq, format, id, queue, namespace, signed, time, epoch, counts } = {
    ...(value as Partial<DumpHeader>),
  };
  if (taskq !== "dump") throw refuse(`expected the header of a dump of taskq, got ${shortened(line)}`);
  if (format !== FORMAT) {
    throw refuse(
      `expected a dump of format ${FORMAT}, got one of format ${shown(format)}: load it with another version of taskq`,
    );
  }
  const isWhole =
    [id, queue, namespace].every((text) => typeof text === "string" && text !== "") &&
    typeof time === "string" &&
    ISO_TIME.test(time) &&
    typeof signed === "boolean" &&
    typeof epoch === "number" &&
    typeof counts === "object" &&
    counts !== null &&
    Object.values(counts).every((count) => Number.isSafeInteger(count));
  if (!isWhole) throw refuse("expected the header of a dump, got one that is damaged");
  return value as DumpHeader;
}

/** What somebody wrote where a number belongs: an object may have a `toString` that is no function. */
function shown(value: unknown): string {
  return typeof value === "number" || typeof value === "string" ? printable(String(value)) : typeof value;
}

function isTrailer(value: unknown): value is Partial<DumpTrailer> {
  return typeof value === "object" && value !== null && "end" in value && value.end === true;
}

function checkedTrailer(
  { records, sha256 }: Partial<DumpTrailer>,
  count: number,
  hash: string,
  refuse: Refuse,
): DumpTrailer {
  if (records !== count) throw refuse(`expected ${shown(records)} records before this line, got ${count}`);
  if (sha256 !== hash) throw refuse("what stands before this line was changed since the dump was taken");
  return { end: true, records, sha256 };
}
