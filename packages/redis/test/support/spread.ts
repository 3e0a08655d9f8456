/** Jobs and workers on a queue, in one partition or several, by the contract alone. */
import { plainJob } from "@taskq/conformance";
import {
  createIdMaker,
  type ClaimedJob,
  type NewFlow,
  type NewJob,
  type StepAnswer,
  type StepRequest,
  type StorageContract,
} from "@taskq/core/storage";
import { Redis } from "ioredis";
import { redisStorage, type RedisOptions } from "../../src/index.js";
import { keyBase } from "../../src/names.js";
import { afterTest } from "./closing.js";

export const QUEUE = "main";
const RETENTION = { completed: { for: 1e9, max: 1e6 }, failed: { for: 1e9, max: 1e6 } };
const makeId = createIdMaker();

/** Opened, and closed after the test. */
export async function opened(options: RedisOptions): Promise<StorageContract> {
  const storage = redisStorage(options) as unknown as StorageContract;
  afterTest(() => storage.close());
  await storage.open({ queue: QUEUE, retention: RETENTION });
  return storage;
}

export function newJob(more: Partial<NewJob> = {}): NewJob {
  const now = Date.now();
  return plainJob(makeId(now), {
    named: more.id !== undefined,
    body: new Uint8Array(10),
    due: now,
    ...more,
  });
}

export function alone(job: NewJob): NewFlow {
  return { end: job.id, jobs: [job], joins: [] };
}

export function chain(first: NewJob, second: NewJob): NewFlow {
  const stage = { ...second, after: [{ source: first.id, on: "completed" }] } as const;
  return { end: second.id, jobs: [first, stage], joins: [] };
}

let steps = 0;

/** A step of one owner, under a number of its own; it settles, begins and claims nothing unless told so. */
export function step(storage: StorageContract, more: Partial<StepRequest>): Promise<StepAnswer> {
  steps += 1;
  const nothing = { settled: [], begun: [], claim: undefined };
  return storage.step({ queue: QUEUE, owner: "owner", request: steps, tasks: ["work"], ...nothing, ...more });
}

/** How many rows each partition keeps. */
export async function rowsOf(url: string, prefix: string, partitions: number): Promise<readonly number[]> {
  const redis = new Redis(url);
  try {
    const numbers = Array.from({ length: partitions }, (_, number) => number);
    return await Promise.all(numbers.map((number) => redis.hlen(`${keyBase(prefix, QUEUE, number)}rows`)));
  } finally {
    redis.disconnect();
  }
}

/** Until it is answered. */
export async function again<Answer>(call: () => Promise<Answer>): Promise<Answer> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if ((error as { code?: unknown }).code !== "TASKQ_UNAVAILABLE") throw error;
    }
  }
}

/** Claims, completes, and asks again under the same number when it got no answer. */
export class Worker {
  readonly done: string[] = [];
  readonly lost: string[] = [];
  readonly #storage: StorageContract;
  readonly #owner: string;
  readonly #lease: number;
  #request = 0;

  constructor(storage: StorageContract, owner: string, lease = 10_000) {
    this.#storage = storage;
    this.#owner = owner;
    this.#lease = lease;
  }

  /** Until it is over, and everything that it holds is settled. */
  async run(isOver: () => boolean): Promise<void> {
    let held: readonly ClaimedJob[] = [];
    while (!isOver() || held.length > 0) {
      const answer = await this.#step(held);
      for (const [place, status] of answer.settled.entries()) {
        (status === "lost" ? this.lost : this.done).push(held[place]?.id ?? "");
      }
      held = answer.claimed;
      if (held.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  async #step(held: readonly ClaimedJob[]): Promise<StepAnswer> {
    this.#request += 1;
    const request = {
      queue: QUEUE,
      owner: this.#owner,
      request: this.#request,
      tasks: ["work"],
      settled: held.map((job) => ({
        id: job.id,
        fence: job.fence,
        startedAt: Date.now(),
        outcome: { kind: "completed", result: new Uint8Array([1]) } as const,
        add: undefined,
        claimed: job,
      })),
      begun: [],
      claim: { begin: 5, ahead: 5, lease: this.#lease },
    };
    return again(() => this.#storage.step(request));
  }
}
