/** The program of one process of a race: enqueues, claims, settles, ticks and counts, and reports what it saw. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Storage } from "@taskq/core";
import {
  createIdMaker,
  type NewFlow,
  type Settlement,
  type StepAnswer,
  type StorageContract,
} from "@taskq/core/storage";
import { bytes } from "../bytes.js";
import { contractOf } from "../fixture.js";
import { plainJob } from "../plain-job.js";
import {
  RACE_TASK,
  type RaceClaim,
  type RaceReport,
  type RaceSettlement,
  type RaceTask,
} from "./messages.js";

const TASKS = ["race"] as const;
const SCHEDULE = "race";
/** Between two instants of the schedule. */
const PERIOD = 100;
/** No lease may run out in a race. */
const LEASE = 120_000;
/** After the last enqueue, until every job must be final. */
const PATIENCE = 60_000;
const KEPT = { for: 1e9, max: 1e9 };

class Racer {
  readonly #storage: StorageContract;
  readonly #task: RaceTask;
  readonly #makeId = createIdMaker();
  readonly #enqueued: string[] = [];
  readonly #claims: RaceClaim[] = [];
  readonly #settled: RaceSettlement[] = [];
  readonly #ticks: number[] = [];
  #increments = 0;
  #repeats = 0;
  #request = 0;
  #ending: Settlement[] = [];

  constructor(storage: StorageContract, task: RaceTask) {
    this.#storage = storage;
    this.#task = task;
  }

  async run(): Promise<RaceReport> {
    const { queue, duration } = this.#task;
    const retention = { completed: KEPT, failed: KEPT };
    await this.#patiently(() => this.#storage.open({ queue, retention }));
    await this.#declare();
    const end = Date.now() + duration;
    while (Date.now() < end) {
      await this.#enqueue();
      await this.#step();
      await this.#tick();
      await this.#increment();
    }
    const last = Date.now() + PATIENCE;
    while ((await this.#unfinished()) > 0 && Date.now() < last) {
      if ((await this.#step()) === 0) await sleep(20);
    }
    return this.#report();
  }

  /** Makes a call again while the storage is busy or away, as a caller that does not know whether it was carried out. */
  async #patiently<A>(call: () => Promise<A>): Promise<A> {
    for (;;) {
      try {
        return await call();
      } catch (error) {
        const code = (error as { code?: unknown }).code;
        if (code !== "TASKQ_BUSY" && code !== "TASKQ_UNAVAILABLE") throw error;
        this.#repeats += 1;
        await sleep(10 + Math.random() * 40);
      }
    }
  }

  #flow(now: number): NewFlow {
    const id = this.#makeId(now);
    return { end: id, jobs: [plainJob(id, { task: TASKS[0], body: bytes(id), due: now })], joins: [] };
  }

  async #enqueue(): Promise<void> {
    const { queue } = this.#task;
    for (;;) {
      const now = this.#storage.clock.now();
      const flows = Array.from({ length: 1 + Math.floor(Math.random() * 8) }, () => this.#flow(now));
      const answer = await this.#patiently(() => this.#storage.enqueue({ queue, flows }));
      if ("collision" in answer) continue;
      this.#enqueued.push(...flows.map(({ end }) => end));
      return;
    }
  }

  /** Settles what it holds and claims; a third of the jobs is run a second time. Answers how many it claimed. */
  async #step(): Promise<number> {
    this.#request += 1;
    const settled = this.#ending;
    const request = {
      queue: this.#task.queue,
      owner: this.#task.owner,
      request: this.#request,
      tasks: TASKS,
      settled,
      begun: [],
      claim: { begin: 1 + Math.floor(Math.random() * 10), ahead: 0, lease: LEASE },
    };
    const answer: StepAnswer = await this.#patiently(() => this.#storage.step(request));
    for (const [at, { id, fence, outcome }] of settled.entries()) {
      if (answer.settled[at] === "lost") continue;
      this.#settled.push({ id, fence, final: outcome.kind === "completed" });
    }
    this.#ending = answer.claimed.map((job, at) => {
      this.#claims.push({ id: job.id, fence: job.fence, attempt: job.attempt });
      const now = this.#storage.clock.now();
      const again = job.attempt === 1 && at % 3 === 0;
      return {
        id: job.id,
        fence: job.fence,
        startedAt: now,
        outcome: again
          ? { kind: "retry", error: bytes("again"), due: now, counts: true }
          : { kind: "completed", result: bytes(this.#task.owner) },
        add: undefined,
      };
    });
    return answer.claimed.length;
  }

  async #declare(): Promise<void> {
    const change = {
      kind: "declare",
      name: SCHEDULE,
      origin: "task",
      task: TASKS[0],
      bytes: bytes(""),
    } as const;
    await this.#patiently(() => this.#storage.schedules({ queue: this.#task.queue, change }));
  }

  async #tick(): Promise<void> {
    const { queue } = this.#task;
    const { schedules } = await this.#patiently(() => this.#storage.schedules({ queue }));
    const previous = schedules.find(({ name }) => name === SCHEDULE)?.lastAt ?? 0;
    const now = this.#storage.clock.now();
    const at = now - (now % PERIOD);
    if (at <= previous) return;
    const flow = this.#flow(now);
    const request = { queue, name: SCHEDULE, previous, at, flows: [flow], overlap: "allow" } as const;
    let answer = "";
    try {
      answer = (await this.#storage.tick(request)).status;
    } catch (error) {
      const code = (error as { code?: unknown }).code;
      if (code !== "TASKQ_BUSY" && code !== "TASKQ_UNAVAILABLE") throw error;
      // Whether it was carried out, the job itself tells.
      const [job] = await this.#patiently(() => this.#storage.read({ queue, ids: [flow.end] }));
      answer = job === undefined ? "" : "applied";
    }
    if (answer !== "applied") return;
    this.#ticks.push(at);
    this.#enqueued.push(flow.end);
  }

  async #increment(): Promise<void> {
    await this.#count(1);
    this.#increments += 1;
  }

  async #count(by: number): Promise<number> {
    const operation = this.#makeId(Date.now());
    const operations = [{ kind: "increment", key: "total", by, expiresAt: undefined }] as const;
    const [answer] = await this.#patiently(() =>
      this.#storage.values({ queue: this.#task.queue, operation, operations }),
    );
    return answer?.kind === "number" ? answer.number : Number.NaN;
  }

  async #counts(): Promise<Readonly<Record<string, number>>> {
    const counts = await this.#patiently(() => this.#storage.counts({ queue: this.#task.queue }));
    return counts["*"] ?? {};
  }

  async #unfinished(): Promise<number> {
    const { blocked = 0, scheduled = 0, ready = 0, parked = 0, active = 0 } = await this.#counts();
    return blocked + scheduled + ready + parked + active;
  }

  async #report(): Promise<RaceReport> {
    return {
      owner: this.#task.owner,
      enqueued: this.#enqueued,
      claims: this.#claims,
      settled: this.#settled,
      ticks: this.#ticks,
      increments: this.#increments,
      repeats: this.#repeats,
      unfinished: await this.#unfinished(),
      completed: (await this.#counts())["completed"] ?? 0,
      total: await this.#count(0),
    };
  }
}

async function main(): Promise<void> {
  const task = JSON.parse(process.env[RACE_TASK] ?? "") as RaceTask;
  const module = (await import(task.open)) as { open(): Promise<Storage | StorageContract> };
  const storage = contractOf(await module.open());
  const report = await new Racer(storage, task).run();
  await storage.close();
  await new Promise<void>((resolve, reject) => {
    process.send?.(report, (error: Error | null) => (error === null ? resolve() : reject(error)));
  });
  process.disconnect();
}

await main();
