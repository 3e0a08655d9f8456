/** Two storages that are told the same, and what is known of them so far. */
import assert from "node:assert/strict";
import {
  joinId,
  TaskqError,
  type ClaimedJob,
  type NewFlow,
  type StepRequest,
  type StorageContract,
  type StoredRecord,
  type ValuesRequest,
} from "@taskq/core/storage";
import { START } from "../context.js";
import type { Covered, Coverage } from "./coverage.js";
import { FollowedFeed } from "./feed.js";
import type { NameRun } from "./normal.js";
import type { Spread, StoredBy } from "./spread.js";

export type Side = "reference" | "tested";
export type Pair<A> = Readonly<Record<Side, A>>;

export const QUEUE = "model";
export const TASKS = ["send", "fetch", "sum", "rare"] as const;
export const OWNERS = ["ann", "bob", "cid"] as const;
/** What an owner can run: kept, since storages compare these by identity. */
export const KNOWN_TASKS: readonly (readonly string[])[] = [TASKS, TASKS.slice(0, 3), ["send", "sum"]];
export const LEASE = 10_000;
/** Longer than a sequence usually lasts, and passed by the longest advance. */
export const KEPT = 100_000;

/** One run, and the fence that each storage gave it. */
export interface Run {
  readonly number: number;
  readonly id: string;
  readonly owner: string;
  readonly fence: Pair<number>;
  begun: boolean;
}

/** A request as it goes to one side: the two differ in fences. */
export type Build<R> = (side: Side) => R;

export class World {
  now: number = START;
  readonly coverage: Coverage;
  /** Of a storage in several partitions: where jobs lie. */
  readonly spread: Spread | undefined;
  readonly storages: Pair<StorageContract>;
  /** Every id ever made or given, in order. */
  readonly ids: string[] = [];
  /** What is there, as the reference read last. */
  known: ReadonlyMap<string, StoredRecord> = new Map();
  readonly feed: FollowedFeed = new FollowedFeed(QUEUE);
  readonly runs: Run[] = [];
  /** Runs of which nothing says that they have ended. */
  readonly held: Set<Run> = new Set();
  readonly lastSteps: Map<string, Build<StepRequest>> = new Map();
  /** How often everything was removed. */
  flushes = 0;
  lastFlows: readonly NewFlow[] | undefined;
  lastValues: ValuesRequest | undefined;
  /** Jobs with a unique key. */
  readonly uniques: Set<string> = new Set();
  /** Jobs that were skipped after they were reaped: the random instant of their return stays with them. */
  readonly random: Set<string> = new Set();
  /** Set by a claim: until when the storage said that nothing becomes due. */
  sleeping: { readonly until: number | undefined } | undefined;
  /** What the move that is being made has to say, for the list of commands. */
  said = "";
  /** The moves so far, in words. */
  readonly journal: string[] = [];
  readonly #runs: Pair<Map<string, Run>> = { reference: new Map(), tested: new Map() };
  readonly #top: Record<Side, number> = { reference: 0, tested: 0 };
  readonly #requests = new Map<string, number>();
  #made = 0;

  constructor(storages: Pair<StorageContract>, coverage: Coverage, spread?: Spread) {
    this.storages = storages;
    this.coverage = coverage;
    this.spread = spread;
  }

  readonly cover = (what: Covered, times = 1): void => {
    if (times > 0) this.coverage.add(what, times);
  };

  /** Makes the call on both, which must answer both or reject with the same code. */
  async both<A>(
    name: string,
    call: (storage: StorageContract, side: Side) => Promise<A>,
  ): Promise<{ readonly answers: Pair<A>; readonly code: undefined } | { readonly code: string }> {
    const reference = await outcome(() => call(this.storages.reference, "reference"));
    const tested = await outcome(() => call(this.storages.tested, "tested"));
    if ("code" in reference || "code" in tested) {
      assert.deepEqual(summary(tested), summary(reference), `${name} answers otherwise`);
      return { code: "code" in reference ? reference.code : "" };
    }
    return { answers: { reference: reference.answer, tested: tested.answer }, code: undefined };
  }

  /** A new id, the same for both. */
  readonly makeId = (): string => {
    this.#made += 1;
    const random = (this.#made * 0x9e37_79b1 + 0x1234_5678) % 2 ** 40;
    const id = joinId({ time: this.now, low: this.#made, random });
    this.ids.push(id);
    return id;
  };

  /** Takes note of an id that the caller gave. */
  give(id: string): string {
    if (!this.ids.includes(id)) this.ids.push(id);
    return id;
  }

  /** Takes note of flows that go to the storages, and of what stores them: a call, a schedule, or a run. */
  sent(flows: readonly NewFlow[], by: StoredBy): void {
    this.spread?.sent(flows, by);
    for (const { jobs } of flows) {
      for (const { id, unique } of jobs) if (unique !== undefined) this.uniques.add(id);
    }
  }

  nextRequest(owner: string): number {
    const next = (this.#requests.get(owner) ?? 0) + 1;
    this.#requests.set(owner, next);
    return next;
  }

  nextNumber(): number {
    this.#made += 1;
    return this.#made;
  }

  readonly nameRun: Pair<NameRun> = {
    reference: (id, fence) => this.#nameRun("reference", id, fence),
    tested: (id, fence) => this.#nameRun("tested", id, fence),
  };

  #nameRun(side: Side, id: string, fence: number): string {
    if (fence === 0) return "none";
    return `run ${this.#runs[side].get(key(id, fence))?.number ?? `unheard of: ${fence}`}`;
  }

  /** Takes note of what was claimed, whose ids and order are the same on both sides. */
  claimed(owner: string, jobs: Pair<readonly ClaimedJob[]>): void {
    const fresh = { reference: this.#top.reference, tested: this.#top.tested };
    for (const [index, job] of jobs.reference.entries()) {
      const fence = { reference: job.fence, tested: jobs.tested[index]?.fence ?? 0 };
      for (const side of ["reference", "tested"] as const) {
        assert.ok(
          fence[side] > this.#top[side],
          `the fence ${fence[side]} after ${this.#top[side]}: ${side}`,
        );
        fresh[side] = Math.max(fresh[side], fence[side]);
      }
      const run: Run = { number: this.runs.length + 1, id: job.id, owner, fence, begun: job.begun };
      this.runs.push(run);
      this.held.add(run);
      this.#runs.reference.set(key(job.id, fence.reference), run);
      this.#runs.tested.set(key(job.id, fence.tested), run);
    }
    Object.assign(this.#top, fresh);
  }

  /** The runs that an owner believes to hold. */
  heldBy(owner: string): readonly Run[] {
    return [...this.held].filter((run) => run.owner === owner);
  }

  /** One of the list, by any number. */
  pick<T>(list: readonly T[], index: number): T | undefined {
    return list.length === 0 ? undefined : list[index % list.length];
  }

  /** Ids of jobs, and of joins too if asked for, that are there. */
  there(joins = false): readonly string[] {
    return this.ids.filter((id) => {
      const kind = this.known.get(id)?.kind;
      return kind === "job" || (joins && kind === "join");
    });
  }
}

function key(id: string, fence: number): string {
  return `${id} ${fence}`;
}

type Outcome<A> = { readonly answer: A } | { readonly code: string; readonly message: string };

async function outcome<A>(call: () => Promise<A>): Promise<Outcome<A>> {
  try {
    return { answer: await call() };
  } catch (error) {
    if (!(error instanceof TaskqError)) throw error;
    return { code: error.code, message: error.message };
  }
}

function summary(of: Outcome<unknown>): string {
  return "code" in of ? `rejects with ${of.code}` : "answers";
}
