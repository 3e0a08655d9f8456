/** Runs whose common settlement the storage refuses again and again: each is settled by itself, so that one does not keep the others. */
import { refusedRun, reportLost, type Engine, type FinishedRun } from "@taskq/core/engine";
import type { SettleAnswer } from "@taskq/core/storage";
import type { HeldRun } from "./held-run.js";
import type { HeldRuns } from "./held-runs.js";

export interface OneByOneOptions {
  readonly engine: Engine;
  readonly runs: HeldRuns;
  /** Answers what else has ended by now. */
  readonly others: () => readonly HeldRun[];
}

/**
 * In rounds. A run that the storage does not let end as it did ends as a failed attempt. What it does not take either way
 * is given up if it has taken another one since, and before it refused this one again; without such it refuses all, and they
 * are kept as they ended for whoever repairs it. What else ends meanwhile goes first; where nothing does, one more job may be
 * claimed to find out.
 */
export class OneByOne {
  readonly #options: OneByOneOptions;
  #left: HeldRun[] = [];
  /** Refused in this round, in both ways. */
  #refused: HeldRun[] = [];
  /** How the next one has really ended, while it is asked about as a failed attempt. */
  #really: FinishedRun | undefined;
  /** Whether it has taken one since it refused one in both ways: each tells of one that is refused then, as it may refuse all by the next. */
  #hasTaken = false;
  #wantsProbe = false;
  /** The job that was claimed to find out. */
  #probe: string | undefined;

  constructor(options: OneByOneOptions) {
    this.#options = options;
  }

  /** The one whose turn it is, until the storage has taken or refused it. */
  get next(): HeldRun | undefined {
    return this.#left[0];
  }

  /** Whether a job is to be claimed to find out. */
  get wantsProbe(): boolean {
    return this.#wantsProbe;
  }

  /** It was claimed. */
  probed(id: string | undefined): void {
    this.#wantsProbe = false;
    this.#probe = id;
  }

  add(runs: readonly HeldRun[]): void {
    this.#left.push(...runs);
  }

  /** The storage has answered the next one. What is somebody else's by now it need not take. */
  answered(settled: SettleAnswer | undefined): void {
    const held = this.#left.shift();
    const isTaken = settled === "applied" || settled === "repeated";
    if (isTaken) {
      if (this.#really !== undefined) this.#tell(held, "the storage keeps a run only as a failed attempt");
      this.#hasTaken = true;
      this.probed(undefined);
    }
    this.#really = undefined;
    this.#goOn();
  }

  /** The storage has refused it, and will do so again. */
  refused(error: unknown): void {
    const held = this.next;
    const finished = held?.finished;
    if (held === undefined) return;
    if (this.#really === undefined && finished !== undefined) {
      const otherwise = refusedRun(finished, error);
      if (otherwise !== undefined) {
        this.#really = finished;
        held.finished = otherwise;
        return;
      }
    }
    held.finished = this.#really ?? finished;
    this.#really = undefined;
    this.#left.shift();
    if (this.#hasTaken) this.#giveUp(held);
    else this.#refused.push(held);
    this.#hasTaken = false;
    this.#goOn();
  }

  #goOn(): void {
    if (this.#left.length + this.#refused.length === 0) {
      this.#hasTaken = false;
      return;
    }
    this.#left.unshift(...this.#options.others());
    if (this.#left.length > 0) return;
    this.#left = this.#refused;
    this.#refused = [];
    // One whose lease was lost has told nothing, and tells nothing any more.
    const isProbing = this.#probe !== undefined && this.#options.runs.get(this.#probe) !== undefined;
    if (!this.#hasTaken && !isProbing) this.#wantsProbe = true;
  }

  /** As if it had been cut off: it runs again once its lease is over. */
  #giveUp(held: HeldRun): void {
    this.#options.runs.remove(held);
    reportLost(held.run);
    this.#tell(held, "the storage takes neither how a run ended nor that it failed: it is given up");
  }

  #tell(held: HeldRun | undefined, what: string): void {
    const { logger, name } = this.#options.engine;
    const { id, task } = held?.claimed ?? {};
    logger.error({ queue: name, id, task, error: held?.finished?.error?.message }, what);
  }
}
