/** Runs whose common settlement the storage refuses again and again: each is settled by itself, so that one does not keep the others. */
import { refusedRun, reportLost, type Engine, type FinishedRun } from "@taskq/core/engine";
import type { HeldRun } from "./held-run.js";
import type { HeldRuns } from "./held-runs.js";

export interface OneByOneOptions {
  readonly engine: Engine;
  readonly runs: HeldRuns;
  /** Answers what else has ended by the beginning of another round, to be settled in that. */
  readonly others: () => readonly HeldRun[];
}

/**
 * In rounds. A run that the storage does not let end as it did ends as a failed attempt. What it does not take either way
 * is given up as soon as it has taken another one in the same round; without such it refuses all, and they are kept as
 * they ended for whoever repairs it.
 */
export class OneByOne {
  readonly #options: OneByOneOptions;
  #left: HeldRun[] = [];
  /** Refused in this round, in both ways. */
  #refused: HeldRun[] = [];
  /** How the next one has really ended, while it is asked about as a failed attempt. */
  #really: FinishedRun | undefined;
  #hasTaken = false;

  constructor(options: OneByOneOptions) {
    this.#options = options;
  }

  /** The one whose turn it is, until the storage has taken or refused it. */
  get next(): HeldRun | undefined {
    return this.#left[0];
  }

  add(runs: readonly HeldRun[]): void {
    this.#left.push(...runs);
  }

  /** The storage has answered it. */
  taken(): void {
    const held = this.#left.shift();
    if (this.#really !== undefined) this.#tell(held, "the storage keeps a run only as a failed attempt");
    this.#really = undefined;
    this.#hasTaken = true;
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
    this.#refused.push(held);
    this.#goOn();
  }

  #goOn(): void {
    if (this.#left.length > 0) return;
    const refused = this.#refused;
    this.#refused = [];
    if (this.#hasTaken) for (const held of refused) this.#giveUp(held);
    else this.#left = [...refused, ...this.#options.others()];
    this.#hasTaken = false;
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
