/** The lines of a dump: what is written is read again, and nothing else is. */
import { createQueue, every, group, task } from "@taskq/core";
import { engineOf, InlineRunner } from "@taskq/core/engine";
import type { MovedRecord } from "@taskq/core/storage";
import { memoryStorage } from "@taskq/memory";
import { beforeAll, describe, expect, test } from "vitest";
import { CountedRecords } from "../src/dump/counted-records.js";
import { FORMAT, lineOf } from "../src/dump/format.js";
import { LineHash } from "../src/dump/line-hash.js";
import { pagesOf } from "../src/dump/pages.js";
import { readDump, type DumpPart } from "../src/dump/reader.js";

const add = task("add", { unique: { key: "one" }, limit: { max: 5, per: "1h" } }, async (n: number) => n + 1);
const fail = task("fail", { retries: 0 }, async (n: number) => {
  throw new Error(String(n));
});
const sum = task("sum", async (numbers: readonly number[]) => numbers.length);

/** Records of most kinds, as a storage tells them. */
async function someRecords(): Promise<readonly MovedRecord[]> {
  const queue = createQueue({ storage: memoryStorage(), tasks: { add, fail, sum } });
  await queue.enqueue(add.job(1), { id: 'a \u2028 name with "quotes"' });
  await queue.enqueue(fail.job(1));
  await queue.enqueue(group([sum.job([1]), sum.job([2])]).pipe(sum), { delay: "1h" });
  await queue.values.set("text", "x".repeat(300));
  await queue.values.increment("number", 7);
  await queue.schedules.upsert("hourly", { schedule: every("1h"), job: sum.job([]) });
  await queue.pause(sum);
  for await (const _ of queue.events({ from: "start", signal: AbortSignal.timeout(20) })) break;
  await new InlineRunner(engineOf(queue)).runDue();
  await queue.lock("held").acquire();
  await queue.enqueue(add.job(2), { delay: "1h" });
  const { storage, name } = engineOf(queue);
  const { departure = "" } = await storage.export({ queue: name, kind: "begin" });
  const records: MovedRecord[] = [];
  for await (const page of pagesOf(queue, departure)) records.push(...page);
  await queue.close();
  return records;
}

function dumpOf(records: readonly MovedRecord[], header: object = {}): string {
  const counted = new CountedRecords();
  for (const record of records) counted.add(record);
  const hash = new LineHash();
  const about = {
    id: "1",
    queue: "default",
    namespace: "taskq_",
    signed: false,
    time: "2026-11-21T09:00:00.000Z",
    epoch: 1,
    counts: counted.counts,
  };
  const lines = [lineOf({ taskq: "dump", format: FORMAT, ...about, ...header }), ...records.map(lineOf)];
  for (const line of lines) hash.added(line);
  return [...lines, lineOf({ end: true, records: records.length, sha256: hash.hex() })].join("");
}

/** Of chunks of that length. */
async function read(dump: string | Buffer, length = 1_000): Promise<readonly DumpPart[]> {
  const bytes = Buffer.from(dump as string);
  async function* chunks(): AsyncGenerator<Buffer> {
    for (let from = 0; from < bytes.length; from += length) yield bytes.subarray(from, from + length);
  }
  const parts: DumpPart[] = [];
  for await (const part of readDump(chunks(), "the file")) parts.push(part);
  return parts;
}

async function refusal(dump: string | Buffer): Promise<string> {
  return read(dump).then(
    () => "read",
    (error: Error) => error.message,
  );
}

function joined(lines: readonly string[]): string {
  return `${lines.join("\n")}\n`;
}

function refusalOfRecord(record: object): Promise<string> {
  return refusal(dumpOf([record as MovedRecord]));
}

let records: readonly MovedRecord[] = [];
let dump = "";
beforeAll(async () => {
  records = await someRecords();
  dump = dumpOf(records);
});

test("records of all kinds are read as they were written, whatever the chunks", async () => {
  const kinds = new Set(records.map(({ kind }) => kind));
  expect([...kinds].toSorted()).toEqual([
    "attempt",
    "control",
    "edge",
    "event",
    "feed",
    "hold",
    "job",
    "join",
    "schedule",
    "start",
    "stats",
    "unique",
    "value",
  ]);
  for (const length of [1, 7, 64, 1_000_000]) {
    const [header, ...rest] = await read(dump, length);
    expect(header).toMatchObject({ kind: "header", header: { queue: "default", epoch: 1 } });
    expect(rest).toEqual(records.map((record, index) => ({ kind: "record", record, line: index + 2 })));
  }
});

describe("what is no dump is refused", () => {
  test("cut off anywhere", async () => {
    const bytes = Buffer.from(dump);
    for (let length = 0; length < bytes.length; length += 13) {
      expect(await refusal(bytes.subarray(0, length))).toMatch(
        /^the file(?: is empty, and no dump of taskq|, line \d+: the dump is cut off (?:behind|in the middle of) this line)$/,
      );
    }
    expect(await refusal(bytes.subarray(0, -1))).toMatch(
      /line \d+: the dump is cut off in the middle of this line$/,
    );
  });

  test("changed anywhere", async () => {
    const bytes = Buffer.from(dump);
    for (let at = 0; at < bytes.length; at += 17) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(await refusal(changed)).toMatch(/^the file(?:, line \d+)?: /);
    }
  });

  test("with a line more, a line less, or lines in another order", async () => {
    const lines = dump.trimEnd().split("\n");
    const last = lines.length;
    expect(await refusal(joined(lines.toSpliced(3, 1)))).toBe(
      `the file, line ${last - 1}: expected ${last - 2} records before this line, got ${last - 3}`,
    );
    expect(await refusal(joined(lines.toSpliced(2, 2, lines[3] ?? "", lines[2] ?? "")))).toBe(
      `the file, line ${last}: what stands before this line was changed since the dump was taken`,
    );
    expect(await refusal(dump + dump)).toBe(
      `the file, line ${last + 1}: expected nothing behind the end of the dump`,
    );
  });

  test.each([
    ["text", "hello\n", "the file, line 1: expected a line of JSON, got 'hello'"],
    ["other JSON", "[1]\n", "the file, line 1: expected the header of a dump of taskq, got '[1]'"],
    ["null", "null\n", "the file, line 1: expected the header of a dump of taskq, got 'null'"],
    ["an empty line", "\n", "the file, line 1: expected a line of JSON, got an empty one"],
    [
      "another format",
      '{"taskq":"dump","format":2}\n',
      "the file, line 1: expected a dump of format 1, got one of format 2: load it with another version of taskq",
    ],
    [
      "half a header",
      '{"taskq":"dump","format":1}\n',
      "the file, line 1: expected the header of a dump, got one that is damaged",
    ],
  ])("%s", async (_, text, says) => {
    expect(await refusal(text)).toBe(says);
  });

  test("a record with a field that is missing, of another type, or not known", async () => {
    const value = { kind: "value", key: "k", value: 1, expiresAt: undefined } as const;
    expect(await refusalOfRecord(value)).toBe("read");
    expect(await refusalOfRecord({ ...value, key: 1 })).toBe(
      "the file, line 2: expected a record of kind 'value', got one whose 'key' is none",
    );
    expect(await refusalOfRecord({ ...value, value: undefined })).toMatch(/whose 'value' is none$/);
    expect(await refusalOfRecord({ ...value, other: 1 })).toMatch(/whose 'other' is none$/);
    expect(await refusalOfRecord({ kind: "toString" })).toBe(
      "the file, line 2: expected a record of a known kind",
    );
    expect(await refusalOfRecord([1])).toBe("the file, line 2: expected a record");
  });

  test.each([
    ["job", "failures", -1],
    ["job", "attempt", 0.5],
    ["job", "fence", 2 ** 53],
    ["job", "priority", 2 ** 31],
    ["job", "due", 8.65e15],
    ["event", "number", -1],
    ["stats", "minute", -8.65e15],
  ] as const)("a %s whose %s is %d", async (kind, field, value) => {
    const record = records.find((one) => one.kind === kind);
    expect(await refusalOfRecord({ ...record, [field]: value })).toBe(
      `the file, line 2: expected a record of kind '${kind}', got one whose '${field}' is none`,
    );
  });

  test("what a terminal would obey is told by its number", async () => {
    const evil = "\u001B]0;owned\u0007\u202E\n";
    const told = [
      await refusal(dumpOf(records, { time: `2026-11-21T09:00:00.000Z${evil}` })),
      await refusal(dumpOf(records, { format: evil })),
      await refusal(dumpOf(records, { counts: { [evil]: 1 } })),
      await refusalOfRecord({ kind: "value", key: "k", value: 1, [evil]: 1 }),
      await refusal(`${JSON.stringify({ taskq: evil })}\n`),
      await refusal(
        `${dump.slice(0, dump.indexOf("\n"))}\n${JSON.stringify({ end: true, records: evil })}\n`,
      ),
    ];
    expect(told).not.toContain("read");
    for (const text of told) expect(text).not.toMatch(/[\p{Cc}\u202E]/u);
  });

  test("objects where a header or an end has a number, whatever they are made of", async () => {
    expect(await refusal(dumpOf([], { counts: null }))).toBe(
      "the file, line 1: expected the header of a dump, got one that is damaged",
    );
    expect(await refusal(dumpOf([], { format: { toString: 1 } }))).toMatch(
      /got one of format object: load it/,
    );
    const [header = ""] = dumpOf([]).split("\n");
    const end = '{"end":true,"records":{"toString":1,"valueOf":1},"sha256":""}';
    expect(await refusal(joined([header, end]))).toBe(
      "the file, line 2: expected object records before this line, got 0",
    );
  });

  test("a header that counts something else", async () => {
    expect(await refusal(dumpOf(records, { counts: { value: 9 } }))).toMatch(
      /^the file: the header counts 9 value where there are 2, /,
    );
  });
});
