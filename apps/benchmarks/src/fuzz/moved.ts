/** Dumps, and records of moves, that somebody has tampered with; and what reads them. */
import { createHash } from "node:crypto";
import { CountedRecords, lineOf, readDump, UserError } from "@taskq/cli/fuzz";
import { createQueue, every, group, task, TaskqError, type Queue } from "@taskq/core";
import { comeToRest, engineOf, InlineRunner, Ticker } from "@taskq/core/engine";
import { MOVED_AT_ONCE, type MovedRecord } from "@taskq/core/storage";
import { memoryStorage } from "@taskq/memory";
import { integerBetween } from "../random.js";
import { anyText, anyValue, hostileBytes, NUMBERS, jsonText, pick, type Random } from "./inputs.js";

const add = task("add", { unique: { key: "one" }, limit: { max: 5, per: "1h" } }, async (n: number) => n + 1);
const fail = task("fail", { retries: 0 }, async (n: number) => {
  throw new Error(String(n));
});
const sum = task("sum", async (numbers: readonly number[], context) => {
  await context.progress(0.5);
  context.log.info("on its way");
  return numbers.length;
});
const tasks = { add, fail, sum };

const nothing = (): void => {};

/** What a queue keeps that has seen most of what there is. */
export async function movedRecords(): Promise<readonly MovedRecord[]> {
  const queue = createQueue({ storage: memoryStorage(), tasks });
  for await (const _ of queue.events({ from: "start", signal: AbortSignal.timeout(20) })) break;
  await queue.enqueue(add.job(1), { id: 'a \u2028 name with "quotes"' });
  await queue.enqueue(fail.job(1));
  await queue.enqueue(sum.job([1]));
  await queue.enqueue(group([sum.job([1]), sum.job([2])]).pipe(sum), { delay: "1h" });
  await queue.enqueue(sum.job([3]), { expires: "1h", priority: 3 });
  await queue.values.set("text", "x".repeat(300));
  await queue.values.increment("number", 7);
  await queue.schedules.upsert("hourly", { schedule: every("1h"), job: sum.job([]) });
  await new InlineRunner(engineOf(queue)).runDue();
  await queue.enqueueMany([sum.job([4]), fail.job(2), add.job(2)]);
  await queue.lock("held").acquire();
  const engine = engineOf(queue);
  const { departure = "" } = await comeToRest(engine, nothing, nothing);
  const page = { queue: queue.name, kind: "page", departure, limit: MOVED_AT_ONCE } as const;
  const records: MovedRecord[] = [];
  for (let cursor: string | undefined; ;) {
    const answer = await engine.storage.export({ ...page, cursor });
    records.push(...answer.records);
    cursor = answer.cursor;
    if (cursor === undefined) break;
  }
  await queue.close();
  return records;
}

/** The same rows, with these bytes here and there. */
export function tamperedRecords(random: Random, records: readonly MovedRecord[]): readonly MovedRecord[] {
  const written = records.flatMap((record) => bytesIn(record));
  const often = pick(random, [0.1, 0.5, 1]);
  const bytes = (before: Uint8Array): Uint8Array =>
    random() < often ? hostileBytes(random, written) : before;
  return records.filter(() => random() < 0.9).map((record) => withBytes(record, bytes));
}

function bytesIn(record: MovedRecord): readonly Uint8Array[] {
  const found: Uint8Array[] = [];
  withBytes(record, (bytes) => {
    found.push(bytes);
    return bytes;
  });
  return found;
}

/** Each of its bytes, changed. */
function withBytes(record: MovedRecord, change: (bytes: Uint8Array) => Uint8Array): MovedRecord {
  const changeAny = (bytes: Uint8Array | undefined): Uint8Array | undefined => bytes && change(bytes);
  switch (record.kind) {
    case "job":
      return { ...record, body: change(record.body), bytes: changeAny(record.bytes) };
    case "attempt":
    case "event":
      return { ...record, error: changeAny(record.error) };
    case "note":
      return { ...record, note: { ...record.note, bytes: change(record.note.bytes) } };
    case "value":
      return typeof record.value === "number" ? record : { ...record, value: change(record.value) };
    case "schedule":
      return { ...record, bytes: change(record.bytes) };
    default:
      return record;
  }
}

/** Fills a queue with them, and reads and runs all that it then keeps. @throws the first refusal */
export async function takeIn(records: readonly MovedRecord[]): Promise<void> {
  const queue = createQueue({ storage: memoryStorage(), tasks });
  const refusals: TaskqError[] = [];
  const look = async (work: () => unknown): Promise<void> => {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof TaskqError)) throw error;
      refusals.push(error);
    }
  };
  await look(() => arrive(queue, records));
  const engine = engineOf(queue);
  await look(() => new Ticker(engine).tick());
  await look(() => new InlineRunner(engine).runDue());
  for (const record of records) {
    if (record.kind === "value") await look(() => queue.values.get(record.key));
    if (record.kind !== "job") continue;
    await look(() => queue.job(record.id));
    await look(() => queue.why(record.id));
    await look(() => engine.storage.notes({ queue: queue.name, id: record.id }));
  }
  await look(async () => {
    for await (const _ of queue.jobs()) continue;
  });
  await look(() => queue.schedules.list());
  await look(() => queue.counts({ by: "task" }));
  await queue.close();
  if (refusals[0] !== undefined) throw refusals[0];
}

/** As a load does it. */
async function arrive(queue: Queue, records: readonly MovedRecord[]): Promise<void> {
  const engine = engineOf(queue);
  await engine.open();
  const { storage } = engine;
  const about = { queue: queue.name, departure: "fuzz" } as const;
  const { arrival = "" } = await storage.import({ ...about, kind: "begin", epoch: 1 });
  await storage.import({ ...about, kind: "page", records, cursor: undefined });
  await storage.import({ ...about, kind: "seal" });
  await storage.import({ ...about, kind: "open", arrival });
}

/** The bytes of a dump, some of whose lines are none, or hold what none does. Mostly its end fits all the same. */
export function tamperedDump(random: Random, records: readonly MovedRecord[]): Uint8Array {
  const few = records.filter(() => random() < 0.3);
  const counted = new CountedRecords();
  for (const record of few) counted.add(record);
  const header = {
    taskq: "dump",
    format: 1,
    id: "1",
    queue: "default",
    namespace: "taskq_",
    signed: false,
    time: "2026-11-21T09:00:00.000Z",
    epoch: 1,
    counts: counted.counts,
  } as const;
  const texts = textsIn(few);
  const lines = [header, ...few].map((value) =>
    random() < 0.04 ? tamperedLine(random, value, texts) : Buffer.from(lineOf(value)),
  );
  const before = Buffer.concat(lines);
  const sha256 = createHash("sha256").update(before).digest("hex");
  const end = { end: true, records: few.length, sha256 } as const;
  return Buffer.concat([
    before,
    random() < 0.95 ? Buffer.from(lineOf(end)) : tamperedLine(random, end, texts),
    random() < 0.98 ? Buffer.alloc(0) : hostileBytes(random, [before]),
  ]);
}

/** Another value in a field, or another line. */
function tamperedLine(random: Random, value: object, texts: readonly string[]): Uint8Array {
  const kind = random();
  const line = lineOf(value as MovedRecord);
  if (kind < 0.1) return Buffer.from(`${jsonText(random)}\n`);
  if (kind < 0.2) return Buffer.concat([hostileBytes(random, [Buffer.from(line)]), Buffer.from("\n")]);
  const field = pick(random, [...Object.keys(value), "__proto__", "toString"]);
  const before: unknown = Object.hasOwn(value, field) ? value[field as keyof typeof value] : undefined;
  const other = kind < 0.7 ? alike(random, before, texts) : anyValue(random);
  const text = JSON.stringify(other) ?? "1e999";
  // As text, so that a name that every object has is a field as any other.
  const rest = line.trimEnd().slice(1, -1);
  return Buffer.from(`{${rest},${JSON.stringify(field)}:${text}}\n`);
}

/** Of the same type, so that it is looked at as what it is not. */
function alike(random: Random, before: unknown, texts: readonly string[]): unknown {
  if (typeof before === "number") return pick(random, NUMBERS);
  if (typeof before === "string")
    return random() < 0.8 ? pick(random, [...texts, "__proto__"]) : anyText(random, 40);
  if (typeof before === "boolean") return !before;
  return before instanceof Uint8Array ? { base64: jsonText(random) } : anyValue(random);
}

/** All that is a text in them, ids among others. */
function textsIn(records: readonly MovedRecord[]): readonly string[] {
  return records.flatMap((record) =>
    Object.values(record).filter((value: unknown) => typeof value === "string"),
  );
}

/** Reads a dump in chunks, and takes in what it holds if all of it is a dump. */
export async function readTampered(random: Random, bytes: Uint8Array): Promise<void> {
  const records: MovedRecord[] = [];
  const length = integerBetween(random, 1, 2_000);
  try {
    for await (const part of readDump(chunks(bytes, length), "a dump")) {
      if (part.kind === "record") records.push(part.record);
    }
  } catch (error) {
    throw error instanceof UserError ? new TaskqError("TASKQ_INPUT", error.message) : error;
  }
  await takeIn(records);
}

async function* chunks(bytes: Uint8Array, length: number): AsyncGenerator<Buffer> {
  const size = Math.max(length, Math.ceil(bytes.length / 1_000));
  for (let from = 0; from < bytes.length; from += size) yield Buffer.from(bytes.subarray(from, from + size));
}
