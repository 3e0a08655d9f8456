import { randomUUID } from "node:crypto";
import type { Queue } from "@taskq/core";
import { comeToRest, engineOf } from "@taskq/core/engine";
import type { MoveCounts, QueuePhase } from "@taskq/core/storage";
import { BreakingOff } from "../breaking-off.js";
import { countLines, grouped } from "../count-lines.js";
import { exitCode } from "../exit-code.js";
import { lengthOf } from "../instant.js";
import { refuseMemory } from "../pairs.js";
import { ProgressLines } from "../progress-lines.js";
import { storageName } from "../storage-name.js";
import { explain, UserError } from "../user-error.js";
import { CountedRecords } from "./counted-records.js";
import { FORMAT, lineOf } from "./format.js";
import { LineHash } from "./line-hash.js";
import { oneQueue } from "./one-queue.js";
import { outputTo, type Output } from "./output.js";
import { pagesOf } from "./pages.js";

/** What `taskq dump` was asked. */
export interface DumpOptions {
  readonly queue?: readonly string[];
  readonly output?: string;
  readonly reopen?: boolean;
  readonly keepClosed?: boolean;
  readonly cancel?: boolean;
}

/** Writes all that a queue keeps to a file. Answers the exit code. */
export async function dump(module: string, options: DumpOptions): Promise<number> {
  refuseContradictions(options);
  const queue = await oneQueue(module, options.queue);
  refuseMemory(queue);
  try {
    const phase = await phaseOf(queue);
    if (options.cancel === true) return await openAgain(queue, phase);
    refusePhase(queue, phase, options);
    return await dumpClosed(queue, phase, options);
  } finally {
    await queue.close();
  }
}

function refuseContradictions({ reopen, keepClosed, cancel, output }: DumpOptions): void {
  const given = [
    ...(reopen === true ? ["--reopen"] : []),
    ...(keepClosed === true ? ["--keep-closed"] : []),
    ...(cancel === true ? ["--cancel"] : []),
  ];
  if (cancel === true && output !== undefined) given.push("--output");
  if (given.length < 2) return;
  throw new UserError(`expected one of ${given.slice(0, -1).join(", ")} and ${given.at(-1)}, got both`, {
    code: exitCode.usage,
  });
}

async function phaseOf(queue: Queue): Promise<QueuePhase> {
  const engine = engineOf(queue);
  await engine.open();
  return engine.storage.phase({ queue: engine.name });
}

function refusePhase({ name }: Queue, phase: QueuePhase, { reopen, keepClosed }: DumpOptions): void {
  if (phase === "left")
    throw new UserError(`the queue '${name}' has moved from here; dump it where it is now`);
  if (phase === "arriving") {
    throw new UserError(
      `the queue '${name}' is being filled by a move or a load; finish that, or take it back`,
    );
  }
  if (phase !== "open" || reopen === true || keepClosed === true) return;
  throw new UserError(
    `a dump is taken of a queue that is closed, and '${name}' is open: while it is closed, its consumers finish what ` +
      "runs and stop, and enqueue is refused with TASKQ_MOVED. Say what is to be afterwards:\n" +
      "  --reopen        close it, dump it, and open it again; consumers are then to be started again\n" +
      "  --keep-closed   close it, dump it, and leave it closed, to load the dump elsewhere",
    { code: exitCode.usage },
  );
}

async function openAgain(queue: Queue, phase: QueuePhase): Promise<number> {
  const where = `the queue '${queue.name}' at ${storageName(queue)}`;
  if (phase === "left" || phase === "arriving") {
    throw new UserError(`${where} is not closed by a dump, but by a move or a load: take that back instead`);
  }
  if (phase === "leaving") await open(queue);
  say(phase === "open" ? `${where} is open` : `${where} is open again: start consumers and producers`);
  return exitCode.ok;
}

async function open(queue: Queue): Promise<void> {
  const { storage, name } = engineOf(queue);
  await storage.export({ queue: name, kind: "cancel", destination: undefined });
}

/** Closes the queue if it is open, and leaves it as it was found, or was asked. */
async function dumpClosed(queue: Queue, phase: QueuePhase, options: DumpOptions): Promise<number> {
  using breaking = new BreakingOff(() => say("breaking off; once more ends at once"));
  const output = await outputTo(options.output);
  const opens = phase === "open" ? options.reopen === true : false;
  say(`dumping queue ${queue.name} of ${storageName(queue)} to ${options.output ?? "standard output"}`);
  try {
    await write(queue, output, breaking.signal);
    await output.finish();
  } catch (error) {
    await output.discard();
    const left = phase === "open" ? await reopened(queue) : "is closed, as it was before";
    const after = `the queue ${left}; what was written is no whole dump`;
    if (!breaking.signal.aborted) throw new UserError(`${explain(error)}\n  ${after}`, { cause: error });
    say(`  broken off: ${after}`);
    return exitCode.interrupted;
  }
  if (opens) await open(queue);
  for (const line of endLines(phase, opens)) say(`  ${line}`);
  return exitCode.ok;
}

async function reopened(queue: Queue): Promise<string> {
  try {
    await open(queue);
    return "is open again";
  } catch {
    return "may still be closed: open it with --cancel";
  }
}

function endLines(phase: QueuePhase, opens: boolean): readonly string[] {
  if (opens) return ["the queue is open again: start its consumers"];
  const before = phase === "open" ? "the queue stays closed" : "the queue was closed before, and stays so";
  return [`${before}; the same line with --cancel instead of the other options opens it`];
}

async function write(queue: Queue, output: Output, signal: AbortSignal): Promise<void> {
  const begun = performance.now();
  const engine = engineOf(queue);
  const progress = new ProgressLines(say);
  const check = (): void => signal.throwIfAborted();
  const { departure = "", epoch } = await comeToRest(engine, check, (active) => progress.waiting(active));
  const { counts = {} } = await engine.storage.export({ queue: engine.name, kind: "count", departure });
  const hash = new LineHash();
  const put = (line: string): Promise<void> => output.write(hash.added(line));
  const id = randomUUID();
  const time = new Date(engine.time.now()).toISOString();
  const { name, storage, serializer } = engine;
  const about = { queue: name, namespace: storage.namespace, signed: serializer.seal !== undefined };
  await put(lineOf({ taskq: "dump", format: FORMAT, id, ...about, time, epoch, counts }));
  const records = new CountedRecords();
  for await (const page of pagesOf(queue, departure)) {
    check();
    for (const record of page) {
      records.add(record);
      await put(lineOf(record));
    }
    progress.records("dumped", records.count);
  }
  refuseDifferent(records, counts);
  await output.write(lineOf({ end: true, records: records.count, sha256: hash.hex() }));
  say(`  dumped ${grouped(records.count)} records in ${lengthOf(performance.now() - begun)}`);
  for (const line of countLines(counts)) say(line);
}

/** Somebody opened it meanwhile, or the storage is damaged. */
function refuseDifferent(records: CountedRecords, counts: MoveCounts): void {
  const differs = records.differsFrom(counts);
  if (differs !== undefined)
    throw new UserError(`the queue counts ${differs}: what was written is no whole dump`);
}

/** Standard output may be the dump. */
function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
