import { randomUUID } from "node:crypto";
import { TaskqError, type Queue } from "@taskq/core";
import { engineOf } from "@taskq/core/engine";
import {
  MOVED_AT_ONCE,
  pageLength,
  type ImportAnswer,
  type ImportRequest,
  type MoveCounts,
  type MovedRecord,
} from "@taskq/core/storage";
import { grouped } from "../count-lines.js";
import { UserError } from "../user-error.js";
import type { DumpHeader } from "./format.js";

/** Departures of dumps, told from those of moves. */
const OF_DUMPS = "dump:";
/** No departure has this name: to take it back does nothing, and tells how things are. */
const NOBODY = "nobody";
/** In the cursor that the storage keeps: the line up to which it has all. */
const LINE = /^line:(\d+)$/;

/** A queue that is filled from a dump. */
export class Arrival {
  readonly #queue: Queue;
  readonly #about: { readonly queue: string };
  #departure = "";
  #arrival = "";
  #line = 1;
  #sealed = false;
  #waiting: MovedRecord[] = [];
  #lastLine = 1;

  constructor(queue: Queue) {
    this.#queue = queue;
    this.#about = { queue: queue.name };
  }

  /** What stands up to this line of the dump has been taken in; 1: the header. */
  get line(): number {
    return this.#line;
  }

  /**
   * Answers `false` if this dump was loaded here before.
   *
   * @param replace Given: what an open queue keeps is removed first.
   * @throws {UserError} of a queue that is not empty, or not open
   */
  async begin({ id, epoch }: DumpHeader, replace: string | undefined): Promise<boolean> {
    const own = OF_DUMPS + id;
    const found = await this.#look();
    this.#refusePhase(found, own);
    const isOwn = found.departure?.startsWith(own) === true;
    if (isOwn && found.phase === "open" && replace === undefined) return false;
    if (found.phase === "arriving") this.#departure = found.departure ?? own;
    else {
      if (replace === undefined) await this.#refuseJobs();
      else await this.#queue.flush({ confirm: replace });
      // Another load of a dump that was loaded before is another arrival.
      this.#departure = isOwn ? `${own}:${randomUUID()}` : own;
    }
    const begun = await this.#beginImport(epoch);
    this.#arrival = begun.arrival ?? "";
    this.#sealed = begun.complete;
    this.#line = Number(LINE.exec(begun.cursor ?? "")?.[1] ?? 1);
    this.#lastLine = this.#line;
    return true;
  }

  /** Answers how many records went in. */
  async add(record: MovedRecord, line: number): Promise<number> {
    this.#waiting.push(record);
    this.#lastLine = line;
    const isFull =
      this.#waiting.length >= MOVED_AT_ONCE ||
      pageLength(this.#waiting, MOVED_AT_ONCE) < this.#waiting.length;
    return isFull ? this.flush() : 0;
  }

  /** Takes in what waits. */
  async flush(): Promise<number> {
    const records = this.#waiting;
    this.#waiting = [];
    if (records.length === 0 || this.#sealed) return 0;
    const cursor = `line:${this.#lastLine}`;
    await this.#import({ ...this.#about, kind: "page", departure: this.#departure, records, cursor });
    this.#line = this.#lastLine;
    return records.length;
  }

  /** Puts it together, compares what there is with what there was, and opens the queue. */
  async finish(expected: MoveCounts): Promise<void> {
    const departure = this.#departure;
    const { counts = {} } = await this.#all({ ...this.#about, kind: "seal", departure });
    const names = [...new Set([...Object.keys(expected), ...Object.keys(counts)])];
    const different = names
      .filter((name) => (expected[name] ?? 0) !== (counts[name] ?? 0))
      .map((name) => `${expected[name] ?? 0} ${name} and ${counts[name] ?? 0}`);
    if (different.length > 0) {
      throw new UserError(`expected the queue to keep what the dump has, got ${different.join(", ")}`);
    }
    await this.#import({ ...this.#about, kind: "open", departure, arrival: this.#arrival });
  }

  /** Takes back a load that has not opened. Answers whether there was one. @throws {UserError} of a move */
  async cancelAny(): Promise<boolean> {
    const { phase, departure } = await this.#look();
    if (phase !== "arriving") return false;
    if (departure?.startsWith(OF_DUMPS) === false) {
      throw new UserError(
        `the queue '${this.#queue.name}' is being filled by a move, not by a load: take that back instead`,
      );
    }
    await this.#all({ ...this.#about, kind: "cancel", departure });
    return true;
  }

  #refusePhase({ phase, departure = "" }: ImportAnswer, own: string): void {
    const { name } = this.#queue;
    if (phase === "open" || (phase === "arriving" && departure.startsWith(own))) return;
    if (phase !== "arriving") {
      const how =
        phase === "left" ? "has moved from here to another storage" : "is closed, by a move or a dump";
      throw new UserError(`the queue '${name}' ${how}; a dump goes into one that is open and empty`);
    }
    const by = departure.startsWith(OF_DUMPS)
      ? "from another dump: finish that load, or take it back with --cancel"
      : "by a move: finish that, or take it back";
    throw new UserError(`the queue '${name}' is being filled ${by}`);
  }

  async #refuseJobs(): Promise<void> {
    const { name } = this.#queue;
    const counts = Object.entries(await this.#queue.counts()).filter(([, count]) => count > 0);
    if (counts.length === 0) return;
    const jobs = counts.map(([state, count]) => `${grouped(count)} ${state}`).join(", ");
    throw new UserError(
      `the queue '${name}' is not empty (${jobs}), and a dump cannot be added to what is there; ` +
        `--replace ${name} removes all that it keeps, and loads the dump instead`,
    );
  }

  async #beginImport(epoch: number): Promise<ImportAnswer> {
    try {
      return await this.#all({ ...this.#about, kind: "begin", departure: this.#departure, epoch });
    } catch (error) {
      if (!(error instanceof TaskqError) || error.code !== "TASKQ_MOVE") throw error;
      const { name } = this.#queue;
      throw new UserError(
        `the queue '${name}' has no jobs, but values or ids of jobs that are gone; ` +
          `--replace ${name} removes all that it keeps, and loads the dump instead`,
        { cause: error },
      );
    }
  }

  async #look(): Promise<ImportAnswer> {
    await engineOf(this.#queue).open();
    return this.#all({ ...this.#about, kind: "cancel", departure: NOBODY });
  }

  async #all(request: ImportRequest): Promise<ImportAnswer> {
    for (;;) {
      const answer = await this.#import(request);
      if (!answer.more) return answer;
      // The signal that breaks the load off has its turn.
      await new Promise(setImmediate);
    }
  }

  #import(request: ImportRequest): Promise<ImportAnswer> {
    return engineOf(this.#queue).storage.import(request);
  }
}
