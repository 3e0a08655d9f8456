import type { WatchHint } from "@taskq/core/storage";
import type { AnswerRecord } from "./wire/unpack.js";
import { textsOf } from "./wire/values.js";

type Listener = (hint: WatchHint) => void;

/** Tells listeners of one queue that there may be something new: once for all that happens in one turn of the event loop. */
export class Hints {
  /** To whether they hear of final jobs. */
  readonly #listeners = new Map<Listener, boolean>();
  #ready = false;
  #control = false;
  #any = false;
  /** More became final than are named. */
  #manyFinal = false;
  #final: string[] = [];
  #planned = false;

  get isHeard(): boolean {
    return this.#listeners.size > 0;
  }

  /** Whether somebody hears of jobs that became final. */
  get isHeardOfFinal(): boolean {
    for (const final of this.#listeners.values()) if (final) return true;
    return false;
  }

  watch(listener: Listener, final: boolean): () => void {
    // Wrapped, so that a function that listens twice is let go once for each.
    const entry: Listener = (hint) => listener(hint);
    this.#listeners.set(entry, final);
    return () => {
      this.#listeners.delete(entry);
    };
  }

  /** What a script told of its call; many final jobs are told without their ids. */
  told({ ready, control, final }: AnswerRecord): void {
    if (!this.isHeard) return;
    if (ready === true) this.#ready = true;
    if (control === true) this.#control = true;
    if (final !== undefined && this.isHeardOfFinal) {
      if (final === true) this.#manyFinal = true;
      else this.#final.push(...textsOf(final));
    } else if (ready !== true && control !== true) return;
    this.#plan();
  }

  /** Something may have happened of which nothing is known: the connection that tells was lost. */
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
    if (this.#any) hints.push({ kind: "any" });
    const finals: WatchHint[] = [];
    if (this.#final.length > 0) finals.push({ kind: "final", ids: this.#final });
    if (this.#manyFinal && !this.#any) finals.push({ kind: "any" });
    this.#planned = this.#ready = this.#control = this.#any = this.#manyFinal = false;
    this.#final = [];
    for (const [listener, final] of this.#listeners) {
      for (const hint of hints) tell(listener, hint);
      if (final) for (const hint of finals) tell(listener, hint);
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
