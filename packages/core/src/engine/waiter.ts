/** Waits for jobs to become final: pushed by the storage, with a slow look as a safety net. */
import type { CompletedJob, StorageContract, WatchHint } from "../storage.js";
import { onAbort } from "../on-abort.js";
import { isFinal, type StoredRecord } from "../storage.js";
import { TaskqError } from "../errors.js";

/** How often jobs that are waited for are looked at when nothing was heard, in milliseconds. */
const SAFETY_LOOK = 2_000;
/** The most of them that are looked at then, in turns: tens of thousands would keep a server busy although nothing happens. */
const LOOKED_AT_FOR_SAFETY = 5_000;
/** How long it is taken to be known whether the queue has moved, unless something was heard, in milliseconds. */
const PHASE_KEPT = 250;
const IDS_PER_READ = 500;
/** How long the storage is still watched when nobody waits, in milliseconds: the next one most often comes at once. */
const LINGER = 1_000;
/** In milliseconds. */
const PAUSE_BETWEEN_LOOKS = 1;

/** The most ids of jobs that became final that are kept in mind. */
const MOST_OVER = 1_000;

const NOBODY: readonly string[] = [];

/** A job or group that is final: as it is stored, or as it was told by whoever completed it. */
export type Final = StoredRecord | CompletedJob;

/** The error of whoever waits for a job that is not there. */
export function noSuchJob(id: string): TaskqError {
  return new TaskqError("TASKQ_STORAGE", `there is no job ${id}, or its result is no longer kept`);
}

type Settle = (final: Final) => void;
interface Waiting {
  readonly settle: Settle;
  readonly fail: (error: unknown) => void;
}

export class Waiter {
  readonly #storage: StorageContract;
  readonly #queue: string;
  readonly #requestNow: () => number | undefined;
  readonly #waiting = new Map<string, Set<Waiting>>();
  /** Those of them that are groups: a group becomes final with a member, whose id alone may be told. */
  readonly #groups = new Set<string>();
  readonly #doubtful = new Set<string>();
  /** What became final since `#gaps` last grew, as was heard. */
  readonly #over = new Set<string>();
  /** How often something may have become final unheard. */
  #gaps = 0;
  #stopWatching: (() => void) | undefined;
  /** Those whose turn of being looked at for safety has not come yet. */
  #turns: Iterator<string> = NOBODY.values();
  #timer: NodeJS.Timeout | undefined;
  #lingering: NodeJS.Timeout | undefined;
  #looking = false;
  /** Whether the queue has left for another storage, when that was last asked. */
  #left = false;
  #phaseAskedAt = -Infinity;

  constructor(storage: StorageContract, queue: string, requestNow: () => number | undefined) {
    this.#storage = storage;
    this.#queue = queue;
    this.#requestNow = requestNow;
  }

  /** To be asked before a job is stored, for `final`; `undefined` if what becomes final is not heard of now. */
  get mark(): number | undefined {
    if (this.#stopWatching === undefined || this.#storage.hears?.(this.#queue) !== true) return undefined;
    return this.#gaps;
  }

  /**
   * What is final, once it is. Rejects when the signal aborts, when the queue closes, and with `TASKQ_MOVED` once it has left.
   *
   * @param mark of a single job: from before it was stored. It is looked at first unless nothing was missed since.
   */
  final(id: string, signal: AbortSignal | undefined, mark?: number): Promise<Final> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) return reject(signal.reason as Error);
      const end = (): void => {
        forget();
        this.#forget(id, waiting);
      };
      const waiting: Waiting = {
        settle: (final) => (end(), resolve(final)),
        fail: (error) => (end(), reject(error)),
      };
      const forget = onAbort(signal, () => waiting.fail(signal?.reason));
      this.#remember(id, waiting);
      if (mark !== undefined && mark === this.#gaps && !this.#over.has(id)) return;
      // Read after the watch has begun: what ended before is seen now, what ends later is heard.
      this.#doubt([id]);
    });
  }

  /** Ends all waiting. */
  close(): void {
    const error = new TaskqError("TASKQ_CLOSED", "the queue was closed while a result was waited for");
    for (const set of this.#waiting.values()) for (const waiting of set) waiting.fail(error);
    this.#stop();
  }

  #remember(id: string, waiting: Waiting): void {
    let set = this.#waiting.get(id);
    if (set === undefined) this.#waiting.set(id, (set = new Set()));
    set.add(waiting);
    clearTimeout(this.#lingering);
    this.#stopWatching ??= this.#storage.watch(this.#queue, (hint) => this.#hear(hint));
    this.#timer ??= setInterval(() => this.#lookForSafety(), SAFETY_LOOK);
  }

  #forget(id: string, waiting: Waiting): void {
    const set = this.#waiting.get(id);
    if (set?.delete(waiting) === true && set.size === 0) {
      this.#waiting.delete(id);
      this.#groups.delete(id);
    }
    if (this.#waiting.size > 0) return;
    // A map that has been gone through in part keeps whatever has been in it since.
    this.#turns = NOBODY.values();
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#lingering = setTimeout(() => this.#stop(), LINGER).unref();
  }

  #stop(): void {
    this.#missed();
    clearTimeout(this.#lingering);
    this.#stopWatching?.();
    this.#stopWatching = undefined;
  }

  #hear(hint: WatchHint): void {
    if (hint.kind === "ready") return;
    if (hint.kind !== "final") this.#phaseAskedAt = -Infinity;
    if (hint.ids === undefined) {
      this.#missed();
      return this.#doubt(this.#waiting.keys());
    }
    for (const job of hint.completed ?? []) this.#settle(job.id, job);
    if (this.#over.size + hint.ids.length > MOST_OVER) this.#missed();
    for (const id of hint.ids) this.#over.add(id);
    this.#doubt(hint.ids.filter((id) => this.#waiting.has(id)));
    this.#doubt(this.#groups);
  }

  #settle(id: string, final: Final): void {
    for (const waiting of this.#waiting.get(id) ?? []) waiting.settle(final);
  }

  #missed(): void {
    this.#gaps += 1;
    this.#over.clear();
  }

  #lookForSafety(): void {
    const most = Math.min(LOOKED_AT_FOR_SAFETY, this.#waiting.size);
    const ids: string[] = [];
    for (let begun = false; ids.length < most;) {
      const { done, value } = this.#turns.next();
      if (done !== true) ids.push(value);
      else if (begun) break;
      else {
        begun = true;
        this.#turns = this.#waiting.keys();
      }
    }
    this.#doubt(ids);
  }

  #doubt(ids: Iterable<string>): void {
    for (const id of ids) this.#doubtful.add(id);
    if (this.#looking || this.#doubtful.size === 0) return;
    this.#looking = true;
    void this.#look();
  }

  async #look(): Promise<void> {
    for (let looks = 0; this.#doubtful.size > 0; looks += 1) {
      // Thousands of waiters on a busy store must not keep it busy with looks.
      if (looks > 0) await new Promise((resolve) => setTimeout(resolve, PAUSE_BETWEEN_LOOKS));
      const ids = this.#nextDoubtful();
      try {
        await this.#askPhase();
        const records = await this.#storage.read({
          queue: this.#queue,
          ids,
          now: this.#requestNow(),
        });
        for (const [index, record] of records.entries()) this.#tell(ids[index] ?? "", record);
      } catch (error) {
        this.#failed(ids, error);
      }
    }
    this.#looking = false;
  }

  /** Thousands are not copied to take some of them. */
  #nextDoubtful(): readonly string[] {
    const ids: string[] = [];
    for (const id of this.#doubtful) {
      ids.push(id);
      this.#doubtful.delete(id);
      if (ids.length === IDS_PER_READ) break;
    }
    return ids;
  }

  /** Before the records are read: those of a queue that has left change no more. */
  async #askPhase(): Promise<void> {
    const now = performance.now();
    if (now - this.#phaseAskedAt < PHASE_KEPT) return;
    this.#phaseAskedAt = now;
    try {
      this.#left = (await this.#storage.phase({ queue: this.#queue })) === "left";
    } catch (error) {
      this.#phaseAskedAt = -Infinity;
      throw error;
    }
  }

  #tell(id: string, record: StoredRecord | undefined): void {
    if (this.#left && (record === undefined || !isFinal(record.state))) {
      const moved = new TaskqError(
        "TASKQ_MOVED",
        `the queue "${this.#queue}" has moved to another storage, and the job ${id} with it: ` +
          "wait for it there, by result(id) of a queue on that storage",
      );
      for (const waiting of this.#waiting.get(id) ?? []) waiting.fail(moved);
    } else if (record === undefined) {
      const gone = noSuchJob(id);
      for (const waiting of this.#waiting.get(id) ?? []) waiting.fail(gone);
    } else if (isFinal(record.state)) {
      this.#settle(id, record);
    } else if (record.kind === "join" && this.#waiting.has(id)) {
      this.#groups.add(id);
    }
  }

  /** A storage that is away comes back: the next look asks again. Anything else is told. */
  #failed(ids: readonly string[], error: unknown): void {
    const passing = error instanceof TaskqError && ["TASKQ_UNAVAILABLE", "TASKQ_BUSY"].includes(error.code);
    if (passing) return;
    for (const id of ids) for (const waiting of this.#waiting.get(id) ?? []) waiting.fail(error);
  }
}
