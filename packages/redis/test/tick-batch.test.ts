/** Jobs that are enqueued one by one in the same tick. */
import { setTimeout as sleep } from "node:timers/promises";
import { plainJob } from "@taskq/conformance";
import { createIdMaker, type EnqueueRequest, type NewJob, type StorageContract } from "@taskq/core/storage";
import { describe, expect, test } from "vitest";
import { serverBinary } from "./servers/binary.js";
import { afterTest } from "./support/closing.js";
import { ownServer } from "./support/own-server.js";
import { alone } from "./support/spread.js";
import { connect, newPrefix } from "./support/store.js";

const QUEUE = "main";
const RETENTION = { completed: { for: 60_000, max: 1e6 }, failed: { for: 60_000, max: 1e6 } };
const makeId = createIdMaker();

function requestOf(options: Partial<NewJob> = {}): EnqueueRequest {
  const job = plainJob(makeId(Date.now()), { body: new Uint8Array(100), ...options });
  return { queue: QUEUE, flows: [alone(job)] };
}

function groupOf(size: number): EnqueueRequest {
  const jobs = Array.from({ length: size }, () => plainJob(makeId(Date.now())));
  const id = makeId(Date.now());
  const join = { id, mode: "all", members: jobs.map((job) => job.id) } as const;
  return { queue: QUEUE, flows: [{ end: id, jobs, joins: [join] }] };
}

async function readyIn(storage: StorageContract): Promise<number | undefined> {
  return (await storage.counts({ queue: QUEUE }))["*"]?.ready;
}

describe.skipIf(serverBinary() === undefined)("one tick", () => {
  const own = ownServer();

  async function opened(): Promise<StorageContract> {
    const storage = connect(own.server, newPrefix());
    afterTest(() => storage.close());
    await storage.open({ queue: QUEUE, retention: RETENTION });
    return storage;
  }

  test("the jobs of one tick are stored by a few calls, each with its own answer", async () => {
    const storage = await opened();
    await storage.enqueue(requestOf());
    await own.redis.config("RESETSTAT");
    const later = Date.now() + 60_000;
    const requests = Array.from({ length: 300 }, (_, n) => requestOf(n % 3 === 0 ? { due: later } : {}));
    const answers = await Promise.all(requests.map((request) => storage.enqueue(request)));
    const states = requests.map(({ flows: [flow] }, n) => ({
      flows: [{ status: "stored", id: flow?.end, state: n % 3 === 0 ? "scheduled" : "ready" }],
      effects: [],
    }));
    expect(answers).toEqual(states);
    const calls = /cmdstat_evalsha:calls=(\d+)/.exec(await own.redis.info("commandstats"))?.[1];
    expect(Number(calls)).toBeLessThanOrEqual(4);
    expect(await readyIn(storage)).toBe(201);
  });

  test("groups of one tick are stored by few calls, none of which has many more rows than those of single jobs", async () => {
    const storage = await opened();
    await storage.enqueue(groupOf(1));
    await own.redis.config("RESETSTAT");
    const requests = Array.from({ length: 61 }, () => groupOf(31));
    const answers = await Promise.all(requests.map((request) => storage.enqueue(request)));
    const stored = requests.map(({ flows: [flow] }) => ({
      flows: [{ status: "stored", id: flow?.end, state: "ready" }],
      effects: [],
    }));
    expect(answers).toEqual(stored);
    const calls = /cmdstat_evalsha:calls=(\d+)/.exec(await own.redis.info("commandstats"))?.[1];
    // One, then fifteen of four.
    expect(Number(calls)).toBe(16);
    expect(await readyIn(storage)).toBe(1 + 61 * 31);
  });

  test("whoever stores only what is there already wakes nobody", async () => {
    const storage = await opened();
    const unique = { key: "key", until: "final", onConflict: "ignore" } as const;
    await storage.enqueue(requestOf({ unique }));
    let hints = 0;
    afterTest(storage.watch(QUEUE, () => void (hints += 1)));
    // Whoever begins to hear is told that there may be anything.
    await expect.poll(() => hints).toBeGreaterThan(0);
    hints = 0;
    for (let n = 0; n < 3; n += 1) {
      const answer = await storage.enqueue(requestOf({ unique }));
      expect(answer).toMatchObject({ flows: [{ status: "existing", state: "ready" }] });
    }
    await sleep(20);
    expect(hints).toBe(0);
    await storage.enqueue(requestOf({ unique: { ...unique, key: "other" } }));
    await expect.poll(() => hints).toBeGreaterThan(0);
  });

  test("a job that comes while none is under way waits for no others of its tick", async () => {
    const storage = await opened();
    await storage.enqueue(requestOf());
    await own.redis.config("RESETSTAT");
    await Promise.all([requestOf(), requestOf(), requestOf()].map((request) => storage.enqueue(request)));
    for (let n = 0; n < 3; n += 1) await storage.enqueue(requestOf());
    const calls = /cmdstat_evalsha:calls=(\d+)/.exec(await own.redis.info("commandstats"))?.[1];
    // One and two, then one each.
    expect(Number(calls)).toBe(5);
    expect(await readyIn(storage)).toBe(7);
  });

  test("a job that is there already changes nothing for the others of its tick", async () => {
    const storage = await opened();
    const known = requestOf();
    await storage.enqueue(known);
    const others = Array.from({ length: 20 }, () => requestOf());
    const answers = await Promise.all([...others, known, ...others].map((each) => storage.enqueue(each)));
    for (const answer of answers) expect(answer).toMatchObject({ flows: [{ state: "ready" }] });
    expect(await readyIn(storage)).toBe(21);
  });

  test("a request with a name is not overtaken by plain ones of its tick, nor overtakes them", async () => {
    const storage = await opened();
    const requests = [requestOf(), requestOf({ named: true, id: "named" }), requestOf(), requestOf()];
    await Promise.all(requests.map((request) => storage.enqueue(request)));
    const claim = { begin: 4, ahead: 0, lease: 30_000 };
    const asked = {
      queue: QUEUE,
      owner: "owner",
      request: 1,
      tasks: ["work"],
      settled: [],
      begun: [],
      claim,
    };
    const { claimed } = await storage.step(asked);
    expect(claimed.map(({ id }) => id)).toEqual(requests.map(({ flows: [flow] }) => flow?.end));
  });

  test("every job of a tick is stored though the storage is closed before it ends", async () => {
    const storage = await opened();
    const asked = [requestOf(), requestOf()].map((request) => storage.enqueue(request));
    const closing = storage.close();
    for (const each of asked) expect(await each).toMatchObject({ flows: [{ status: "stored" }] });
    await closing;
    await expect(storage.enqueue(requestOf())).rejects.toMatchObject({ code: "TASKQ_CLOSED" });
  });
});
