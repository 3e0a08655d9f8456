export interface WatchHint {
  /** `any`: another process did something, it is not known what. */
  readonly kind: "ready" | "final" | "control" | "any";
  /** Of `final`, where known. */
  readonly ids?: readonly string[] | undefined;
}

type Listener = (hint: WatchHint) => void;

/**
 * Tells the listeners of one queue's `watch` that there may be something new: once for all that happens in one turn of
 * the event loop. Costs nothing while nobody listens.
 */
export class Hints {
  readonly #listeners = new Set<Listener>();
  #ready = false;
  #control = false;
  #any = false;
  #final: string[] = [];
  #planned = false;

  get isHeard(): boolean {
    return this.#listeners.size > 0;
  }

  watch(listener: Listener): () => void {
    // Wrapped, so that a function that listens twice is let go once for each.
    const entry: Listener = (hint) => listener(hint);
    this.#listeners.add(entry);
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
    if (!this.isHeard || ids.length === 0) return;
    this.#final.push(...ids);
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
    if (this.#final.length > 0) hints.push({ kind: "final", ids: this.#final });
    if (this.#any) hints.push({ kind: "any" });
    this.#planned = this.#ready = this.#control = this.#any = false;
    this.#final = [];
    for (const listener of this.#listeners) for (const hint of hints) tell(listener, hint);
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
