/** What a check works with: a fresh storage, virtual time, and short words for the calls it makes. */
import assert from "node:assert/strict";
import {
  createIdMaker,
  type ClaimedJob,
  type EnqueueAnswer,
  type JobRecord,
  type JoinRecord,
  type KeysAnswer,
  type KeysRequest,
  type NewFlow,
  type NewJob,
  type RunReference,
  type SettleAnswer,
  type Settlement,
  type SettledOutcome,
  type StepAnswer,
  type StorageContract,
  type StoredRecord,
  type StoredRetention,
} from "@taskq/core/storage";
import { bytes } from "./bytes.js";
import { flowOf, join, type Part } from "./flows.js";
import type { ClaimOptions, JobOptions, SettleOptions, StepOptions } from "./options.js";
import { plainJob } from "./plain-job.js";
import { at, exactly, type Tuple } from "./tuple.js";

/** The owner of runs where a check names none. */
export const OWNER = "owner-1";
/** The length of leases where a check names none, in milliseconds. */
export const LEASE = 30_000;
/** Virtual time starts here: far from the machine's, so that a storage that mixes the two is found out. */
export const START: number = Date.UTC(2035, 0, 1);
/** So long that nothing is purged where a check names no retention. */
export const RETENTION: StoredRetention = {
  completed: { for: 1e11, max: 1e6 },
  failed: { for: 1e11, max: 1e6 },
};

export class Context {
  readonly storage: StorageContract;
  /** The queue that the calls below are about; opened. */
  queue = "main";
  /** Virtual time, in epoch milliseconds; goes with every call. */
  now: number = START;
  readonly #connect: () => Promise<StorageContract>;
  #second: StorageContract | undefined;
  readonly #makeId = createIdMaker();
  readonly #fences = new Map<string, number>();
  readonly #tasks = new Set<string>();
  #jobs = 0;
  #request = 0;

  constructor(storage: StorageContract, connect: () => Promise<StorageContract>) {
    this.storage = storage;
    this.#connect = connect;
  }

  /** Another connection to the same store with the queue opened; the same one where the storage knows no others. */
  async second(): Promise<StorageContract> {
    if (this.#second === undefined) {
      this.#second = await this.#connect();
      if (this.#second !== this.storage) {
        await this.#second.open({ queue: this.queue, retention: RETENTION, now: this.now });
      }
    }
    return this.#second;
  }

  async closeSecond(): Promise<void> {
    if (this.#second !== this.storage) await this.#second?.close();
  }

  /** Opens a queue, which the calls below are about from then on. */
  async open(queue: string = this.queue, retention: StoredRetention = RETENTION): Promise<void> {
    this.queue = queue;
    await this.storage.open({ queue, retention, now: this.now });
  }

  /** Lets virtual time pass. */
  advance(milliseconds: number): void {
    this.now += milliseconds;
  }

  /** A new id as core makes them. */
  id(): string {
    return this.#makeId(this.now);
  }

  /** The next number of a request that claims. */
  nextRequest(): number {
    return ++this.#request;
  }

  job(options: JobOptions = {}): NewJob {
    const { id, delay, due, body, ...rest } = options;
    this.#jobs += 1;
    const made = this.id();
    const job = plainJob(id ?? made, {
      named: id !== undefined,
      ...(id === undefined ? {} : { order: made }),
      body: bytes(body ?? `body ${this.#jobs}`),
      due: due ?? this.now + (delay ?? 0),
      ...rest,
    });
    this.#tasks.add(job.task);
    return job;
  }

  /** That many jobs alike. */
  jobs<N extends number>(count: N, options: JobOptions = {}): Tuple<NewJob, N> {
    return exactly(
      Array.from({ length: count }, () => this.job(options)),
      count,
    );
  }

  /** A group of these members. */
  group(members: readonly Part[], mode: "all" | "settled" = "all"): NewFlow {
    return join(this.id(), members, mode);
  }

  /** Stores flows in one call; fails on a collision. */
  async enqueue(...parts: readonly Part[]): Promise<EnqueueAnswer> {
    const request = { queue: this.queue, flows: parts.map(flowOf), now: this.now };
    const answer = await this.storage.enqueue(request);
    if ("collision" in answer) return assert.fail(`the new id ${answer.collision} was refused as taken`);
    return answer;
  }

  /** One step; without options it neither settles nor claims. */
  async step(options: StepOptions = {}): Promise<StepAnswer> {
    const answer = await this.storage.step({
      queue: this.queue,
      owner: OWNER,
      request: this.nextRequest(),
      tasks: [...this.#tasks],
      settled: [],
      begun: [],
      claim: undefined,
      ...options,
      now: this.now,
    });
    for (const { id, fence } of answer.claimed) {
      this.#fences.set(`${this.queue}/${id}`, Math.max(fence, this.highestFence(id)));
    }
    return answer;
  }

  /** The highest fence that `step` was given for a job of this id; 0 where it was given none. */
  highestFence(id: string): number {
    return this.#fences.get(`${this.queue}/${id}`) ?? 0;
  }

  /** Claims, and answers the whole step. */
  claimStep(options: ClaimOptions & Omit<StepOptions, "claim"> = {}): Promise<StepAnswer> {
    const { n, ahead, lease, ids, ...rest } = options;
    const begin = n ?? ids?.length ?? 1;
    return this.step({ ...rest, claim: { begin, ahead: ahead ?? 0, lease: lease ?? LEASE, ids } });
  }

  /** Claims, and answers what was claimed. */
  async claim(options: ClaimOptions = {}): Promise<readonly ClaimedJob[]> {
    return (await this.claimStep(options)).claimed;
  }

  /** Claims the one job with this id, or the next one; fails if there is none. */
  async claimOne(id?: string, options: ClaimOptions = {}): Promise<ClaimedJob> {
    const claimed = await this.claim({ ...options, n: 1, ...(id === undefined ? {} : { ids: [id] }) });
    const [only] = claimed;
    assert.ok(only !== undefined, `no job was claimed${id === undefined ? "" : ` of ${id}`}`);
    assert.equal(claimed.length, 1, "more was claimed than asked for");
    if (id !== undefined) assert.equal(only.id, id);
    return only;
  }

  /** A settlement, for a step; of a run as it was claimed, it is one for the statistics. */
  settlement(
    run: RunReference | ClaimedJob,
    outcome: SettledOutcome,
    options: SettleOptions = {},
  ): Settlement {
    return {
      id: run.id,
      fence: run.fence,
      startedAt: options.startedAt ?? this.now,
      outcome,
      add: options.add,
      claimed: "task" in run ? run : undefined,
    };
  }

  /** Settles one run in a step of its own, without claiming. */
  async settle(
    run: RunReference | ClaimedJob,
    outcome: SettledOutcome,
    options: SettleOptions = {},
  ): Promise<SettleAnswer> {
    const settled = [this.settlement(run, outcome, options)];
    const answer = await this.step({
      settled,
      ...(options.owner === undefined ? {} : { owner: options.owner }),
    });
    assert.equal(answer.settled.length, 1, "a step answers each settlement");
    return at(answer.settled, 0);
  }

  complete(
    run: RunReference | ClaimedJob,
    result?: string,
    options: SettleOptions = {},
  ): Promise<SettleAnswer> {
    return this.settle(
      run,
      { kind: "completed", result: result === undefined ? undefined : bytes(result) },
      options,
    );
  }

  fail(run: RunReference | ClaimedJob, error = "boom", options: SettleOptions = {}): Promise<SettleAnswer> {
    return this.settle(run, { kind: "failed", error: bytes(error) }, options);
  }

  /** Claims the job with this id and completes it. */
  async runToEnd(id: string, result?: string, options: SettleOptions = {}): Promise<ClaimedJob> {
    const run = await this.claimOne(id);
    assert.equal(await this.complete(run, result, options), "applied");
    return run;
  }

  /** Claims the job with this id and fails it for good. */
  async runToFailure(id: string, error = "boom"): Promise<ClaimedJob> {
    const run = await this.claimOne(id);
    assert.equal(await this.fail(run, error), "applied");
    return run;
  }

  /** A job or a join, or `undefined`. */
  async read(id: string): Promise<StoredRecord | undefined> {
    const records = await this.storage.read({ queue: this.queue, ids: [id], whole: true, now: this.now });
    assert.equal(records.length, 1, "reading answers each id");
    return records[0];
  }

  /** The job with this id, whole; fails if there is none. */
  async jobRecord(id: string): Promise<JobRecord> {
    const record = await this.read(id);
    assert.equal(record?.kind, "job", `the job ${id} is not there`);
    return record;
  }

  /** The join with this id; fails if there is none. */
  async joinRecord(id: string): Promise<JoinRecord> {
    const record = await this.read(id);
    assert.equal(record?.kind, "join", `the join ${id} is not there`);
    return record;
  }

  /** State of a job or a join, `undefined` for an unknown one. */
  async state(id: string): Promise<string | undefined> {
    return (await this.read(id))?.state;
  }

  /** States of jobs and joins, in order. */
  async states(...ids: readonly string[]): Promise<readonly (string | undefined)[]> {
    const records = await this.storage.read({ queue: this.queue, ids, now: this.now });
    return records.map((record) => record?.state);
  }

  /** A call about a lock or semaphore. */
  keys(request: DistributiveOmit<KeysRequest, "queue" | "now">): Promise<KeysAnswer> {
    return this.storage.keys({ ...request, queue: this.queue, now: this.now });
  }

  /** Waits for an error of ours with this code. */
  async rejects(code: string, call: () => Promise<unknown>): Promise<void> {
    await assert.rejects(call, (error: unknown) => {
      assert.ok(error instanceof Error, "not an error");
      assert.equal((error as { code?: unknown }).code, code, error.message);
      return true;
    });
  }
}

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;
