/** One queue in several partitions: where its jobs are. */
import type { ClaimedJob, RunReference, StepRequest, StoredRecord } from "@taskq/core/storage";
import type { OpenQueue } from "../open-queue.js";
import type { RedisStorage } from "../redis-storage.js";
import { HOME, isMade, partitionOf } from "./place.js";

/** A row, and the partition that has it. */
export interface Found {
  readonly partition: number;
  readonly record: StoredRecord;
}

/** What an owner was handed by its last request, so that a repeat of it is answered alike. */
export interface LastClaim {
  readonly request: number;
  readonly claimed: ClaimedJob[];
  /** Calls that were not answered. */
  readonly unanswered: Set<ClaimCall>;
}

/** A claim in one partition. */
export interface ClaimCall {
  readonly partition: number;
  readonly request: Pick<StepRequest, "request" | "claim">;
}

interface Stray {
  readonly partition: number;
  readonly fence: number;
}

interface Reading {
  readonly now?: number | undefined;
  readonly whole?: boolean | undefined;
}

/** Owners whose last claim is known; one that has not asked for so long asks nothing again. */
const MOST_OWNERS = 1_000;

export class DividedQueue {
  readonly name: string;
  readonly parts: readonly RedisStorage[];
  readonly queues: readonly OpenQueue[];
  readonly timeout: number;
  /** The greatest fence that is known. */
  fence = 0;
  /** When each was last asked by a step, by the clock of this process. */
  readonly askedAt: number[];
  /** Runs that are not where their ids say, by id: the last one that was handed out. */
  readonly #strays = new Map<string, Stray>();
  readonly #claims = new Map<string, LastClaim>();

  /** @param timeout milliseconds that one call may take */
  constructor(name: string, parts: readonly RedisStorage[], timeout: number) {
    this.name = name;
    this.timeout = timeout;
    this.parts = parts;
    this.queues = parts.map((part) => part.opened(name));
    this.askedAt = parts.map(() => 0);
  }

  get size(): number {
    return this.parts.length;
  }

  /** All partitions, by number. */
  get numbers(): readonly number[] {
    return this.parts.map((_, number) => number);
  }

  part(number: number): RedisStorage {
    return this.parts[number] as RedisStorage;
  }

  queue(number: number): OpenQueue {
    return this.queues[number] as OpenQueue;
  }

  get home(): RedisStorage {
    return this.part(HOME);
  }

  /** Asks every partition at the same time. */
  async each<Answer>(call: (part: RedisStorage, number: number) => Promise<Answer>): Promise<Answer[]> {
    return Promise.all(this.parts.map(call));
  }

  /** Asks every partition but the home one. */
  async others<Answer>(call: (part: RedisStorage, number: number) => Promise<Answer>): Promise<Answer[]> {
    return Promise.all(this.numbers.slice(1).map((number) => call(this.part(number), number)));
  }

  /** Where a run is, as far as it is known without asking. */
  guess(id: string): number {
    return this.#strays.get(id)?.partition ?? partitionOf(id, this.size);
  }

  isStray(id: string): boolean {
    return this.#strays.has(id);
  }

  /** A run was handed out there. */
  remember({ id, fence }: RunReference, partition: number): void {
    if (partition !== partitionOf(id, this.size)) this.#strays.set(id, { partition, fence });
  }

  /** The run is over, as far as this process is concerned; a later one of the same job, which it was handed meanwhile, is not. */
  forget({ id, fence }: RunReference): void {
    const stray = this.#strays.get(id);
    if (stray !== undefined && stray.fence <= fence) this.#strays.delete(id);
  }

  lastClaim(owner: string): LastClaim | undefined {
    return this.#claims.get(owner);
  }

  rememberClaim(owner: string, claim: LastClaim): void {
    this.#claims.delete(owner);
    this.#claims.set(owner, claim);
    if (this.#claims.size <= MOST_OWNERS) return;
    for (const oldest of this.#claims.keys()) {
      this.#claims.delete(oldest);
      return;
    }
  }

  /** Rows by id: first where the id says, then at home, and then, for the few that were added by a run elsewhere, anywhere. */
  async find(ids: readonly string[], reading: Reading = {}): Promise<(Found | undefined)[]> {
    const found: (Found | undefined)[] = ids.map(() => undefined);
    const look = async (partition: number, places: readonly number[]): Promise<void> => {
      if (places.length === 0) return;
      const asked = places.map((place) => ids[place] ?? "");
      const records = await this.part(partition).read({ ...reading, queue: this.name, ids: asked });
      for (const [at, place] of places.entries()) {
        const record = records[at];
        if (record !== undefined) found[place] = { partition, record };
      }
    };
    const own = ids.map((id) => this.guess(id));
    const isMissing = (place: number): boolean => found[place] === undefined;
    const places = ids.map((_, place) => place);
    await this.each((_, number) =>
      look(
        number,
        places.filter((place) => own[place] === number),
      ),
    );
    await look(
      HOME,
      places.filter((place) => isMissing(place) && own[place] !== HOME),
    );
    const missing = places.filter((place) => isMissing(place) && isMade(ids[place] ?? ""));
    await this.others((_, number) =>
      look(
        number,
        missing.filter((place) => own[place] !== number),
      ),
    );
    return found;
  }

  /** The ids of each partition that has some of them; those that are not known are nowhere. */
  async located(
    ids: readonly string[],
    now: number | undefined,
  ): Promise<ReadonlyMap<number, readonly string[]>> {
    const groups = new Map<number, string[]>();
    for (const [place, one] of (await this.find(ids, { now })).entries()) {
      if (one === undefined) continue;
      const group = groups.get(one.partition) ?? [];
      groups.set(one.partition, group);
      group.push(ids[place] ?? "");
    }
    return groups;
  }
}
