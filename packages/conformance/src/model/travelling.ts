/** A queue that moves all the while between stores: who calls it must not be able to tell. */
import assert from "node:assert/strict";
import {
  isFinal,
  type ExportAnswer,
  type JobEffect,
  type MovedRecord,
  type NewFlow,
  type OpenRequest,
  type StorageContract,
  type TakeAnswer,
  type ValueAnswer,
} from "@taskq/core/storage";

/** How long a start that was taken is known by its operation. */
const REMEMBERED = 600_000;
/** Records of a page: few, so that there are several. */
const PAGE = 5;
const TAKEN: TakeAnswer = { taken: true, opensAt: undefined };
/** Before these, the queue moves. */
const CHANGING: ReadonlySet<string> = new Set([
  "step",
  "reap",
  "amend",
  "tick",
  "enqueue",
  "control",
  "schedules",
  "values",
  "keys",
  "take",
]);
interface Asked {
  readonly queue: string;
  readonly now: number;
  readonly operation?: string;
  readonly flows?: readonly NewFlow[];
}

/** One of the stores a queue travels between; the kit closes the storage when it ends. */
export type NewStore = () => StorageContract;

/**
 * A storage behind which a queue moves on, to a new store, before every so many calls that change something and find
 * nothing running. What a move does not take along is made up for here: answers to operations that come again.
 */
export class Travelling {
  readonly #make: readonly NewStore[];
  readonly #every: number;
  readonly #left: StorageContract[] = [];
  #here: StorageContract;
  #opened: OpenRequest | undefined;
  #made = 0;
  #calls = 0;
  #moves = 0;
  /** A repeat of what was asked of another storage is asked of that one in life, and answered here. */
  readonly #requests = new Map<string, number>();
  #requestsBefore = new Map<string, number>();
  readonly #answers = new Map<string, readonly ValueAnswer[]>();
  /** Until when a start that was taken is known by its operation. */
  readonly #taken = new Map<string, number>();
  /** Jobs that a gate has let go, since the queue is here. */
  readonly #letGo = new Set<string>();
  /** Whether a lock may have let jobs go, of which nobody is told. */
  #isReleased = false;
  /** What flows of others wait for. */
  readonly #waitedFor = new Set<string>();
  /** Places in the lines of locks do not move. */
  #linesUntil = -Infinity;

  /** @param every `Infinity`: it stays where it is. */
  constructor(make: readonly NewStore[], every: number) {
    this.#make = make;
    this.#every = every;
    this.#here = this.#next();
  }

  /** How often it has moved. */
  get moves(): number {
    return this.#moves;
  }

  get storage(): StorageContract {
    return new Proxy(this.#here, {
      get: (_, property) => {
        const value: unknown = Reflect.get(this.#here, property);
        if (typeof value !== "function") return value;
        return async (request: never) => this.#call(String(property), request);
      },
    });
  }

  async close(): Promise<void> {
    for (const storage of [...this.#left, this.#here]) await storage.close();
  }

  #next(): StorageContract {
    const make = this.#make[this.#made % this.#make.length];
    this.#made += 1;
    if (make === undefined) throw new RangeError("no stores to travel between");
    return make();
  }

  async #call(name: string, given: Asked): Promise<unknown> {
    const { operation = "" } = given;
    const known = this.#answers.get(operation);
    if (name === "values" && known !== undefined) return known;
    if (name === "take" && (this.#taken.get(operation) ?? -Infinity) > given.now) return TAKEN;
    for (const flow of given.flows ?? []) this.#noteSources(flow);
    if (name === "open") this.#opened = given as unknown as OpenRequest;
    else if (CHANGING.has(name) && (this.#calls += 1) >= this.#every) await this.#move(given);
    const request = this.#repeated(name, given);
    const call = Reflect.get(this.#here, name) as (request: Asked) => Promise<unknown>;
    const answer = await call.call(this.#here, request);
    this.#remember(name, request as never, answer);
    return answer;
  }

  #noteSources({ jobs }: NewFlow): void {
    const own = new Set(jobs.map(({ id }) => id));
    for (const { source } of jobs.flatMap(({ after }) => after ?? [])) {
      if (!own.has(source)) this.#waitedFor.add(source);
    }
  }

  #repeated<R extends object>(name: string, request: R): R {
    if (name !== "step") return request;
    const { owner, request: number } = request as unknown as { owner: string; request: number };
    return number <= (this.#requestsBefore.get(owner) ?? -1) ? { ...request, claim: undefined } : request;
  }

  #remember(
    name: string,
    request: {
      owner: string;
      request: number;
      claim?: object;
      operation: string;
      operations: readonly { kind: string }[];
      now: number;
      wait?: number;
    },
    answer: unknown,
  ): void {
    if (name === "step" && request.claim !== undefined) {
      this.#requests.set(request.owner, Math.max(request.request, this.#requests.get(request.owner) ?? 0));
    }
    if (name === "values" && request.operations.some(({ kind }) => kind !== "get")) {
      this.#answers.set(request.operation, answer as readonly ValueAnswer[]);
    }
    if (name === "take" && (answer as TakeAnswer).taken) {
      this.#taken.set(request.operation, request.now + REMEMBERED);
    }
    for (const { id, kind, gate } of (answer as { effects?: readonly JobEffect[] }).effects ?? []) {
      if (kind === "readied" && gate !== undefined) this.#letGo.add(id);
    }
    if (name === "keys") {
      this.#isReleased = true;
      const { status, expiresAt = 0 } = answer as { status: string; expiresAt?: number };
      const until = status === "waiting" ? request.now + (request.wait ?? 0) : expiresAt;
      this.#linesUntil = Math.max(this.#linesUntil, until);
    }
  }

  async #move({ queue, now }: Asked): Promise<void> {
    if (now < this.#linesUntil) return;
    const from = this.#here;
    const leaving = await from.export({ queue, now, kind: "begin" });
    const departure = leaving.departure ?? "";
    const pages = leaving.still ? await this.#pages({ queue, now, departure }) : [];
    const records = pages.flatMap((page) => page.records);
    const mustStay =
      records.some((record) => this.#mustStay(record)) || (await this.#mayExpire(records, { queue, now }));
    if (!leaving.still || mustStay) {
      await from.export({ queue, now, kind: "cancel", destination: undefined });
      return;
    }
    const to = this.#next();
    await to.open({ ...this.#opened, queue, now } as OpenRequest);
    const { arrival = "" } = await to.import({ queue, now, kind: "begin", departure, epoch: leaving.epoch });
    for (const page of pages) {
      await to.import({ queue, now, kind: "page", departure, records: page.records, cursor: page.cursor });
    }
    await this.#arrive(to, { queue, now, departure, arrival });
    this.#requestsBefore = new Map(this.#requests);
    this.#left.push(from);
    this.#here = to;
    this.#moves += 1;
    this.#calls = 0;
    this.#letGo.clear();
    this.#isReleased = false;
  }

  /**
   * A place that a gate keeps for a job it has let go does not move: another may come before it then. And what hangs
   * together is one flow behind a move.
   */
  #mustStay(record: MovedRecord): boolean {
    if (record.kind !== "job" && record.kind !== "join") return false;
    if (this.#waitedFor.has(record.id) && !isFinal(record.state)) return true;
    if (record.kind !== "job" || record.state !== "ready" || (record.gates ?? []).length === 0) return false;
    return this.#isReleased || this.#letGo.has(record.id);
  }

  /**
   * Whoever claims meets jobs anew behind a move that were parked before it: one whose time is over by then ends at once, and where it has
   * stayed when its gate opens.
   */
  async #mayExpire(
    records: readonly MovedRecord[],
    about: { readonly queue: string; readonly now: number },
  ): Promise<boolean> {
    const ids = records.flatMap((record) =>
      record.kind === "job" && record.expiresAt !== undefined && !isFinal(record.state) ? [record.id] : [],
    );
    const rows = ids.length === 0 ? [] : await this.#here.read({ ...about, ids });
    return rows.some((row) => row?.state === "parked");
  }

  async #pages(about: { queue: string; now: number; departure: string }): Promise<readonly ExportAnswer[]> {
    const pages: ExportAnswer[] = [];
    let cursor: string | undefined;
    do {
      const page = await this.#here.export({ ...about, kind: "page", cursor, limit: PAGE });
      pages.push(page);
      ({ cursor } = page);
    } while (cursor !== undefined);
    return pages;
  }

  async #arrive(
    to: StorageContract,
    { arrival, ...about }: { queue: string; now: number; departure: string; arrival: string },
  ): Promise<void> {
    let sealed = await to.import({ ...about, kind: "seal" });
    while (sealed.more) sealed = await to.import({ ...about, kind: "seal" });
    const { counts } = await this.#here.export({ ...about, kind: "count" });
    assert.deepEqual(sealed.counts, counts, "the counts differ");
    await this.#here.export({ ...about, kind: "finish", destination: arrival });
    await to.import({ ...about, kind: "open", arrival });
  }
}
