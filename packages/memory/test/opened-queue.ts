/** One queue of a fresh storage in virtual time, and short words for what the tests do with it. */
import { plainJob } from "@taskq/conformance";
import {
  createIdMaker,
  type AmendRequest,
  type ClaimedJob,
  type EnqueueAnswer,
  type JobRecord,
  type NewFlow,
  type NewJob,
  type SettledOutcome,
  type StepAnswer,
  type StorageContract,
  type StoredRetention,
} from "@taskq/core/storage";
import { memoryStorage } from "../src/index.ts";

export const START: number = Date.UTC(2035, 0, 1);
const LONG: StoredRetention = { completed: { for: 1e11, max: 1e6 }, failed: { for: 1e11, max: 1e6 } };

export class OpenedQueue {
  readonly storage: StorageContract = memoryStorage() as unknown as StorageContract;
  now: number = START;
  readonly #makeId = createIdMaker();
  #request = 0;

  static async open(retention: StoredRetention = LONG): Promise<OpenedQueue> {
    const queue = new OpenedQueue();
    await queue.storage.open({ queue: "main", retention, now: START });
    return queue;
  }

  id(): string {
    return this.#makeId(this.now);
  }

  job(options: Partial<NewJob> = {}): NewJob {
    return plainJob(this.id(), { due: this.now, ...options });
  }

  async enqueue(...flows: readonly NewFlow[]): Promise<EnqueueAnswer> {
    const answer = await this.storage.enqueue({ queue: "main", flows, now: this.now });
    if ("collision" in answer) throw new Error(`collision: ${answer.collision}`);
    return answer;
  }

  async claim(...ids: readonly string[]): Promise<readonly ClaimedJob[]> {
    const claim = { begin: ids.length, ahead: 0, lease: 30_000, ids };
    return (await this.step({ claim })).claimed;
  }

  settle({ id, fence }: ClaimedJob, outcome: SettledOutcome, add?: readonly NewFlow[]): Promise<StepAnswer> {
    return this.step({ settled: [{ id, fence, startedAt: this.now, outcome, add }] });
  }

  /** Claims a job and settles it. */
  async run(id: string, outcome: SettledOutcome = COMPLETED): Promise<StepAnswer> {
    const [claimed] = await this.claim(id);
    if (claimed === undefined) throw new Error(`${id} was not claimed`);
    return this.settle(claimed, outcome);
  }

  async states(...ids: readonly string[]): Promise<readonly (string | undefined)[]> {
    const records = await this.storage.read({ queue: "main", ids, now: this.now });
    return records.map((record) => record?.state);
  }

  async record(id: string): Promise<JobRecord> {
    const [record] = await this.storage.read({ queue: "main", ids: [id], whole: true, now: this.now });
    if (record?.kind !== "job") throw new Error(`${id} is not a job`);
    return record;
  }

  amend(id: string, change: AmendRequest["change"]): ReturnType<StorageContract["amend"]> {
    return this.storage.amend({ queue: "main", ids: [id], change, now: this.now });
  }

  step(request: Partial<Parameters<StorageContract["step"]>[0]>): Promise<StepAnswer> {
    return this.storage.step({
      queue: "main",
      owner: "owner",
      request: ++this.#request,
      tasks: ["work"],
      settled: [],
      begun: [],
      claim: undefined,
      ...request,
      now: this.now,
    });
  }
}

export const COMPLETED: SettledOutcome = { kind: "completed", result: undefined };
export const FAILED: SettledOutcome = { kind: "failed", error: new Uint8Array([9]) };

/** A job alone. */
export function alone(job: NewJob): NewFlow {
  return { end: job.id, jobs: [job], joins: [] };
}

/** A job that waits for a source. */
export function behind(
  job: NewJob,
  source: string,
  on: "completed" | "failed" | "settled" = "completed",
): NewJob {
  return { ...job, after: [...(job.after ?? []), { source, on }] };
}

/** A group of these jobs, and what else is in its flow. */
export function group(queue: OpenedQueue, jobs: readonly NewJob[], members: readonly string[]): NewFlow {
  const id = queue.id();
  return { end: id, jobs, joins: [{ id, mode: "all", members }] };
}
