import { createReadStream, statSync } from "node:fs";
import type { Queue } from "@taskq/core";
import { engineOf } from "@taskq/core/engine";
import { BreakingOff } from "../breaking-off.js";
import { countLines, grouped } from "../count-lines.js";
import { exitCode } from "../exit-code.js";
import { lengthOf } from "../instant.js";
import { loadModule } from "../load-module.js";
import { refuseMemory } from "../pairs.js";
import { printable, printableLines } from "../printable.js";
import { ProgressLines } from "../progress-lines.js";
import { queuesOf } from "../queues-of.js";
import { storageName } from "../storage-name.js";
import { explain, UserError } from "../user-error.js";
import { Arrival } from "./arrival.js";
import type { DumpHeader } from "./format.js";
import { readDump, type DumpPart } from "./reader.js";

/** What `taskq load` was asked. */
export interface LoadOptions {
  readonly queue?: readonly string[];
  /** The name of the queue whose jobs are to go. */
  readonly replace?: string;
  readonly cancel?: boolean;
}

/** Fills a queue from a dump. Answers the exit code. */
export async function load(module: string, file: string | undefined, options: LoadOptions): Promise<number> {
  refuseUse(file, options);
  const queues = queuesOf(await loadModule(module), module, options.queue);
  try {
    if (file === undefined) return await cancelAll(queues);
    using breaking = new BreakingOff(() => say("breaking off; once more ends at once"));
    const loading = new Loading(queues, module, { file, replace: options.replace, signal: breaking.signal });
    return await loading.run();
  } finally {
    for (const queue of queues) await queue.close();
  }
}

function refuseUse(file: string | undefined, { cancel, replace }: LoadOptions): void {
  if (cancel === true && (file !== undefined || replace !== undefined)) {
    throw misused(
      "--cancel takes back a load that was broken off; it goes with neither a file nor --replace",
    );
  }
  if (cancel !== true && file === undefined)
    throw misused("expected the file of a dump, or - for standard input");
}

function misused(message: string): UserError {
  return new UserError(message, { code: exitCode.usage });
}

async function cancelAll(queues: readonly Queue[]): Promise<number> {
  for (const queue of queues) {
    refuseMemory(queue);
    const where = `queue ${queue.name} at ${storageName(queue)}`;
    const cancelled = await new Arrival(queue).cancelAny();
    say(
      cancelled
        ? `${where} is empty and open again`
        : `${where} is not being loaded: there is nothing to take back`,
    );
  }
  return exitCode.ok;
}

interface Asked {
  readonly file: string;
  readonly replace: string | undefined;
  readonly signal: AbortSignal;
}

class Loading {
  readonly #queues: readonly Queue[];
  readonly #module: string;
  readonly #asked: Asked;
  readonly #name: string;
  #arrival: Arrival | undefined;

  constructor(queues: readonly Queue[], module: string, asked: Asked) {
    this.#queues = queues;
    this.#module = module;
    this.#asked = asked;
    this.#name = asked.file === "-" ? "standard input" : asked.file;
  }

  async run(): Promise<number> {
    try {
      // A file can be read twice: one that is cut or changed touches no queue.
      if (this.#isFile()) for await (const _ of this.#parts()) this.#asked.signal.throwIfAborted();
      await this.#load();
      return exitCode.ok;
    } catch (error) {
      if (!this.#asked.signal.aborted) throw await this.#taken(error);
      say(
        this.#arrival === undefined ? "  broken off before anything was loaded" : `  broken off: ${ADVICE}`,
      );
      return exitCode.interrupted;
    }
  }

  async #load(): Promise<void> {
    const begun = performance.now();
    const parts = this.#parts();
    const first = await parts.next();
    if (first.done === true || first.value.kind !== "header") throw new Error("a dump has a header");
    const { header } = first.value;
    const queue = this.#queueOf(header);
    say(`loading queue ${queue.name} into ${storageName(queue)}, as it was at ${header.time}`);
    const arrival = new Arrival(queue);
    if (!(await arrival.begin(header, this.#asked.replace))) {
      say("  this dump was loaded here before; nothing is done");
      return;
    }
    this.#arrival = arrival;
    const records = await this.#takeIn(arrival, parts);
    await arrival.finish(header.counts);
    say(`  loaded ${grouped(records)} records in ${lengthOf(performance.now() - begun)}`);
    for (const line of countLines(header.counts)) say(line);
    say("  the queue is open: start consumers and producers");
  }

  /** Answers how many went in now: fewer than there are when an earlier load was broken off. */
  async #takeIn(arrival: Arrival, parts: AsyncIterable<DumpPart>): Promise<number> {
    const progress = new ProgressLines(say);
    if (arrival.line > 1) say(`  goes on behind line ${grouped(arrival.line)}`);
    let records = 0;
    for await (const part of parts) {
      if (part.kind !== "record" || part.line <= arrival.line) continue;
      this.#asked.signal.throwIfAborted();
      records += await arrival.add(part.record, part.line);
      progress.records("loaded", records);
    }
    return records + (await arrival.flush());
  }

  #queueOf(header: DumpHeader): Queue {
    const { queue: name } = header;
    const { replace } = this.#asked;
    const queue = this.#queues.find((one) => one.name === name);
    if (queue === undefined) {
      const known = this.#queues.map((one) => `'${one.name}'`).join(", ");
      throw new UserError(
        `${this.#name} is a dump of the queue '${printable(name)}'; ${this.#module} has ${known}`,
      );
    }
    if (replace !== undefined && replace !== name) {
      throw new UserError(`expected --replace ${name}, the queue of this dump, got --replace ${replace}`, {
        code: exitCode.usage,
      });
    }
    refuseMemory(queue);
    refuseOtherSeal(queue, header);
    return queue;
  }

  #isFile(): boolean {
    if (this.#asked.file === "-") return false;
    const found = statSync(this.#asked.file, { throwIfNoEntry: false });
    if (found === undefined) throw new UserError(`no file at ${this.#asked.file}`);
    if (found.isDirectory()) throw new UserError(`${this.#asked.file} is a folder; name the file of a dump`);
    return found.isFile();
  }

  #parts(): AsyncGenerator<DumpPart> {
    const { file } = this.#asked;
    const stream = file === "-" ? process.stdin : createReadStream(file);
    return readDump(stream as AsyncIterable<Buffer>, this.#name);
  }

  /** What came of a dump that is found to be none goes; of one that only could not be finished, it stays. */
  async #taken(error: unknown): Promise<unknown> {
    if (this.#arrival === undefined) return error;
    if (!(error instanceof UserError))
      return new UserError(`${explain(error)}\n  ${ADVICE}`, { cause: error });
    await this.#arrival.cancelAny();
    return new UserError(`${error.message}\n  nothing of it was kept: the queue is empty and open`, {
      cause: error,
    });
  }
}

/** What a queue could not verify, it would put into quarantine, job by job. */
function refuseOtherSeal(queue: Queue, { signed, namespace }: DumpHeader): void {
  const { serializer, storage } = engineOf(queue);
  const signs = serializer.seal !== undefined;
  if (signed !== signs) {
    throw signed
      ? otherSeal(
          `the dump is signed, and the queue '${queue.name}' has no keys`,
          "a queue with the serializer it had",
        )
      : otherSeal(`the dump is not signed, and the queue '${queue.name}' signs`, "a queue that does not");
  }
  if (!signed || namespace === storage.namespace) return;
  throw otherSeal(
    `the dump is signed for the prefix '${printable(namespace)}', and '${queue.name}' is kept under '${storage.namespace}'`,
    "a storage with that prefix",
  );
}

function otherSeal(what: string, where: string): UserError {
  return new UserError(
    `${what}; load it into ${where}, and move it from there with taskq move, which signs anew`,
  );
}

const ADVICE =
  "until the load is finished or taken back, the queue takes and starts nothing:\n" +
  "  the same line again goes on from here, and with --cancel instead of the file it is taken back";

/** Beside what others print; nothing is the output of a load. */
function say(line: string): void {
  process.stdout.write(`${printableLines(line)}\n`);
}
