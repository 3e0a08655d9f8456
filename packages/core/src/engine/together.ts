/** Requests about single jobs, those of one moment asked together where each would travel by itself. */
import { TaskqError, type TaskqErrorCode } from "../errors.js";
import { later } from "../soon.js";

/** The most jobs of one request: what is told of each may be large. */
const MOST = 64;
/** The most requests under way: a server that works them off one after the other answers the last of them in time. */
const MOST_UNDER_WAY = 256;
/** What is no fault of any job among several. */
const OF_ALL: ReadonlySet<TaskqErrorCode> = new Set(["TASKQ_UNAVAILABLE", "TASKQ_CLOSED", "TASKQ_MOVED"]);

/** Answers what is asked about each of these jobs, in their order. */
export type Ask<Answer> = (ids: readonly string[]) => Promise<readonly Answer[]>;

interface Batch {
  readonly kind: string;
  readonly ids: Set<string>;
  readonly answers: Promise<readonly unknown[]>;
  readonly send: () => void;
}

/** A request that waits until fewer are under way. */
interface Held {
  readonly go: () => void;
  readonly fail: (error: unknown) => void;
}

/** One that comes while none is under way is asked at once. */
export class Together {
  /** Else each is asked alone. */
  readonly #gathers: boolean;
  #underWay = 0;
  #held: Held[] = [];
  /** Of those, the first that has not gone. */
  #next = 0;
  #batch: Batch | undefined;

  constructor(gathers: boolean) {
    this.#gathers = gathers;
  }

  /**
   * What is asked about one job. Requests are sent in the order in which they came; those of one kind that follow each other may be
   * one, and where that is refused, each is asked by itself.
   */
  one<Answer>(kind: string, id: string, ask: Ask<Answer>): Promise<Answer> {
    if (!this.#gathers) return ask([id]).then(first);
    if (this.#underWay === 0 && this.#batch === undefined) return this.#counted([id], ask).then(first);
    const batch = this.#batchFor(kind, id, ask);
    const place = batch.ids.size;
    batch.ids.add(id);
    if (batch.ids.size === MOST) this.#flush();
    return batch.answers.then(
      (answers) => answers[place] as Answer,
      (error: unknown) => {
        if (batch.ids.size === 1 || isOfAll(error)) throw error;
        return ask([id]).then(first);
      },
    );
  }

  /** The one to which it may be added. */
  #batchFor<Answer>(kind: string, id: string, ask: Ask<Answer>): Batch {
    const { kind: before, ids: others } = this.#batch ?? {};
    if (before !== kind || others?.has(id) === true) this.#flush();
    return (this.#batch ??= this.#begin(kind, ask));
  }

  #begin<Answer>(kind: string, ask: Ask<Answer>): Batch {
    const ids = new Set<string>();
    let send!: () => void;
    const answers = new Promise<readonly Answer[]>((resolve) => {
      send = () => resolve(this.#counted([...ids], ask));
    });
    const batch = { kind, ids, answers, send };
    // Behind all that runs at this moment.
    later(() => {
      if (this.#batch === batch) this.#flush();
    });
    return batch;
  }

  #flush(): void {
    const batch = this.#batch;
    this.#batch = undefined;
    batch?.send();
  }

  async #counted<Answer>(ids: readonly string[], ask: Ask<Answer>): Promise<readonly Answer[]> {
    if (this.#underWay < MOST_UNDER_WAY) this.#underWay += 1;
    else await new Promise<void>((go, fail) => this.#held.push({ go, fail }));
    try {
      return await ask(ids);
    } catch (error) {
      // They would only learn the same, one after the other.
      if (isOfAll(error)) for (const { fail } of this.#takeHeld()) fail(error);
      throw error;
    } finally {
      this.#goOn();
    }
  }

  #goOn(): void {
    const next = this.#held[this.#next];
    if (next === undefined) {
      this.#underWay -= 1;
      return;
    }
    this.#next += 1;
    // Others may come for as long as the process lives: what has gone is not kept until none is left.
    if (this.#next * 2 > this.#held.length) this.#held = this.#takeHeld();
    next.go();
  }

  #takeHeld(): Held[] {
    const held = this.#held.slice(this.#next);
    this.#held = [];
    this.#next = 0;
    return held;
  }
}

function isOfAll(error: unknown): boolean {
  return error instanceof TaskqError && OF_ALL.has(error.code);
}

function first<Answer>([answer]: readonly Answer[]): Answer {
  return answer as Answer;
}
