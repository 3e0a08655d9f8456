import { setImmediate } from "node:timers";

export interface WatchOptions {
  /** Told of jobs that become final; a storage may tell them all the same. @default true */
  readonly final?: boolean | undefined;
}

export interface WatchHint {
  /** `any`: another process did something, it is not known what. */
  readonly kind: "ready" | "final" | "control" | "any";
  /** Of `final`, where known. */
  readonly ids?: readonly string[] | undefined;
  /** Of `final`: those of `ids` that completed, as far as more was told of them. */
  readonly completed?: readonly CompletedJob[] | undefined;
}

/**
 * A job that completed, with its result as it is stored. Told only of ids that core has made: who knows one, and is not
 * told it by the hint, may read the job.
 */
export interface CompletedJob {
  readonly id: string;
  readonly task: string;
  readonly fence: number;
  readonly bytes: Uint8Array | undefined;
}

type Listener = (hint: WatchHint) => void;

/**
 * Tells the listeners of one queue's `watch` that there may be something new: once for all that happens in one turn of
 * the event loop. Costs nothing while nobody listens.
 */
export class Hints {
  /** To whether they are told of jobs that became final. */
  readonly #listeners = new Map<Listener, boolean>();
  #ready = false;
  #control = false;
  #any = false;
  #final: string[] = [];
  #completed: CompletedJob[] = [];
  /** More became final than are named. */
  #manyFinal = false;
  #planned = false;

  get isHeard(): boolean {
    return this.#listeners.size > 0;
  }

  /** Whether somebody is told of jobs that became final. */
  get isHeardOfFinal(): boolean {
    for (const final of this.#listeners.values()) if (final) return true;
    return false;
  }

  watch(listener: Listener, { final = true }: WatchOptions = {}): () => void {
    // Wrapped, so that a function that listens twice is let go once for each.
    const entry: Listener = (hint) => listener(hint);
    this.#listeners.set(entry, final);
    return () => {
      this.#listeners.delete(entry);
    };
  }

  ready(): void {
    if (!this.isHeard) return;
    this.#ready = true;
    this.#plan();
  }

  control(): void {
    if (!this.isHeard) return;
    this.#control = true;
    this.#plan();
  }

  final(...ids: readonly string[]): void {
    if (ids.length === 0 || !this.isHeardOfFinal) return;
    this.#final.push(...ids);
    this.#plan();
  }

  /** Jobs that are among those `final` is told of. */
  completed(jobs: readonly CompletedJob[]): void {
    if (jobs.length > 0 && this.isHeardOfFinal) this.#completed.push(...jobs);
  }

  /** Jobs became final, it is not known which. */
  manyFinal(): void {
    if (!this.isHeardOfFinal) return;
    this.#manyFinal = true;
    this.#plan();
  }

  /** Something may have happened of which nothing is known. */
  any(): void {
    if (!this.isHeard) return;
    this.#any = true;
    this.#plan();
  }

  clear(): void {
    this.#listeners.clear();
  }

  #plan(): void {
    if (this.#planned) return;
    this.#planned = true;
    setImmediate(() => this.#tell());
  }

  #tell(): void {
    const hints: WatchHint[] = [];
    if (this.#control) hints.push({ kind: "control" });
    if (this.#ready) hints.push({ kind: "ready" });
    const finals: WatchHint[] = [];
    if (this.#final.length > 0) {
      finals.push({ kind: "final", ids: this.#final, completed: this.#completed });
    }
    if (this.#any || this.#manyFinal) finals.push({ kind: "any" });
    const others: WatchHint[] = this.#any ? [{ kind: "any" }] : [];
    this.#planned = this.#ready = this.#control = this.#any = this.#manyFinal = false;
    this.#final = [];
    this.#completed = [];
    for (const [listener, final] of this.#listeners) {
      for (const hint of hints) tell(listener, hint);
      for (const hint of final ? finals : others) tell(listener, hint);
    }
  }
}

/** A listener that throws takes the hint from nobody else, nor brings the process down. */
function tell(listener: Listener, hint: WatchHint): void {
  try {
    listener(hint);
  } catch {
    // Nothing rests on a hint, and nobody waits for the listener who could be told.
  }
}
