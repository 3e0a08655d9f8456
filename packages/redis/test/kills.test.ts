/** Workers on one queue while its connections are cut and its server is killed: nothing is lost, and nothing done twice. */
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
import { describe, expect, test } from "vitest";
import { serverBinary } from "./servers/binary.js";
import { startRedisServer, type RedisServer } from "./servers/redis-server.js";
import { scan } from "./support/scan.js";
import { connect, newPrefix } from "./support/store.js";

const QUEUE = "main";
const RETENTION = { completed: { for: 1e9, max: 1e6 }, failed: { for: 1e9, max: 1e6 } };
const LEASE = 10_000;
const WORKERS = 3;

/** A worker that claims, completes, and asks again under the same number when it got no answer. */
class Worker {
  readonly done: string[] = [];
  readonly lost: string[] = [];
  readonly #storage: StorageContract;
  readonly #owner: string;
  #request = 0;

  constructor(storage: StorageContract, owner: string) {
    this.#storage = storage;
    this.#owner = owner;
  }

  async run(isOver: () => boolean): Promise<void> {
    let held: readonly ClaimedJob[] = [];
    while (!isOver() || held.length > 0) {
      this.#request += 1;
      const answer = await this.#step(held);
      for (const [place, status] of answer.settled.entries()) {
        const id = held[place]?.id ?? "";
        if (status === "lost") this.lost.push(id);
        else this.done.push(id);
      }
      held = answer.claimed;
      if (held.length === 0) await sleep(5);
    }
  }

  async #step(held: readonly ClaimedJob[]): Promise<StepAnswer> {
    const settled: StepRequest["settled"] = held.map((job) => ({
      id: job.id,
      fence: job.fence,
      startedAt: Date.now(),
      outcome: { kind: "completed", result: new Uint8Array([1]) },
      add: undefined,
      claimed: job,
    }));
    return again(() =>
      this.#storage.step({
        queue: QUEUE,
        owner: this.#owner,
        request: this.#request,
        tasks: ["work"],
        settled,
        begun: [],
        claim: { begin: 5, ahead: 5, lease: LEASE },
      }),
    );
  }
}

/** Until it is answered. */
async function again<Answer>(call: () => Promise<Answer>): Promise<Answer> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if ((error as { code?: unknown }).code !== "TASKQ_UNAVAILABLE") throw error;
    }
  }
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });
}

const makeId = createIdMaker();

function newJob(more: Partial<NewJob> = {}): NewJob {
  const now = Date.now();
  return plainJob(makeId(now), { body: new Uint8Array(10), due: now, ...more });
}

/** Single jobs, pipelines of two, and jobs behind one lock. */
function newFlow(number: number): NewFlow {
  if (number % 5 === 0) {
    const first = newJob();
    const second = newJob({ after: [{ source: first.id, on: "completed" }] });
    return { end: second.id, jobs: [first, second], joins: [] };
  }
  const lock = { kind: "lock", key: "door", max: 2, per: undefined, onBusy: "wait" } as const;
  const one = newJob(number % 7 === 0 ? { gates: [lock] } : {});
  return { end: one.id, jobs: [one], joins: [] };
}

interface Outcome {
  readonly enqueued: readonly string[];
  /** Settled, by whichever worker. */
  readonly done: readonly string[];
  /** Whose run was somebody else's by the time it was settled. */
  readonly lost: readonly string[];
}

/** Enqueues and works until `disturb` is done with it. */
async function underFire(server: RedisServer, disturb: () => Promise<void>): Promise<Outcome> {
  const prefix = newPrefix();
  const storages = Array.from({ length: WORKERS }, () => connect(server, prefix));
  for (const storage of storages) await storage.open({ queue: QUEUE, retention: RETENTION });
  const phase = { disturbed: false, drained: false };
  const enqueued: string[] = [];
  const first = storages[0] ?? connect(server, prefix);
  const produce = async (): Promise<void> => {
    for (let number = 0; !phase.disturbed; number += 1) {
      const flow = newFlow(number);
      await again(() => first.enqueue({ queue: QUEUE, flows: [flow] }));
      enqueued.push(...flow.jobs.map(({ id }) => id));
    }
  };
  const workers = storages.map((storage, place) => new Worker(storage, `worker ${place}`));
  const work = Promise.all(workers.map((worker) => worker.run(() => phase.drained)));
  const produced = produce();
  await disturb();
  phase.disturbed = true;
  await produced;
  const unfinished = async (): Promise<number> => {
    const counts = (await again(() => first.counts({ queue: QUEUE })))["*"];
    return (counts?.ready ?? 0) + (counts?.active ?? 0) + (counts?.parked ?? 0) + (counts?.blocked ?? 0);
  };
  const end = Date.now() + 2 * LEASE;
  while ((await unfinished()) > 0 && Date.now() < end) await sleep(20);
  phase.drained = true;
  await work;
  await scan(server.url, prefix, QUEUE);
  for (const storage of storages) await storage.close();
  return {
    enqueued,
    done: workers.flatMap((worker) => worker.done),
    lost: workers.flatMap((worker) => worker.lost),
  };
}

function expectAll({ enqueued, done, lost }: Outcome): void {
  expect(lost).toEqual([]);
  expect(done.toSorted()).toEqual([...enqueued].toSorted());
  expect(enqueued.length).toBeGreaterThan(20);
}

describe.skipIf(serverBinary() === undefined)("a queue under fire", () => {
  test("loses nothing and does nothing twice while all of its connections are cut", async () => {
    const server = await startRedisServer({ arguments: ["--appendonly", "yes"] });
    const knife = new Redis(server.url);
    const outcome = await underFire(server, async () => {
      for (let turn = 0; turn < 30; turn += 1) {
        await sleep(100);
        await knife.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
      }
    });
    knife.disconnect();
    await server.stop();
    expect(outcome.lost).toEqual([]);
    expectAll(outcome);
  }, 60_000);

  test("loses nothing and does nothing twice while its scripts are forgotten", async () => {
    const server = await startRedisServer({ arguments: ["--appendonly", "yes"] });
    const knife = new Redis(server.url);
    const outcome = await underFire(server, async () => {
      for (let turn = 0; turn < 50; turn += 1) {
        await sleep(20);
        await knife.call("SCRIPT", "FLUSH");
      }
    });
    knife.disconnect();
    await server.stop();
    expect(outcome.lost).toEqual([]);
    expectAll(outcome);
  }, 60_000);

  test("loses nothing and does nothing twice while its server is killed and starts again", async () => {
    const server = await startRedisServer({ arguments: ["--appendonly", "yes"] });
    const outcome = await underFire(server, async () => {
      for (let turn = 0; turn < 5; turn += 1) {
        await sleep(400);
        await server.kill();
        await server.restart();
      }
    });
    await server.stop();
    expect(outcome.lost).toEqual([]);
    expectAll(outcome);
  }, 60_000);
});
