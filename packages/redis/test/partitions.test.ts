/** Queues in several partitions of one server: what lies where, and what is found there. */
import { createConsumer } from "@taskq/consumer";
import { createQueue, group, moveQueue, task } from "@taskq/core";
import { CALL_BYTES, splitId, type NewJob, type StorageContract } from "@taskq/core/storage";
import { Redis } from "ioredis";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { redisStorage } from "../src/index.js";
import { keyBase } from "../src/names.js";
import { partitionOf } from "../src/partitions/place.js";
import { hasTestServer, startTestServer, type TestServer } from "./servers/test-server.js";
import { refusalOf } from "./support/callers.js";
import { afterTest } from "./support/closing.js";
import { alone, chain, newJob, opened, QUEUE, rowsOf, step } from "./support/spread.js";

const PARTITIONS = 4;
/** Passed by chance once in a million times, of four that are equally likely. */
const CHI_SQUARE = 30.7;
const LEASE = 30_000;

/** Ids of one maker and millisecond differ in their last nine bits. */
function roundOf(id: string): string {
  const { time, low } = splitId(id) as { readonly time: number; readonly low: number };
  return `${time} ${low >>> 9}`;
}

async function store(storage: StorageContract, ...jobs: readonly NewJob[]): Promise<void> {
  await storage.enqueue({ queue: QUEUE, flows: jobs.map(alone) });
}

async function claim(
  storage: StorageContract,
  options: { readonly request: number; readonly begin?: number; readonly ids?: readonly string[] },
) {
  const { request, begin = 1, ids } = options;
  const about = { queue: QUEUE, owner: "owner", tasks: ["work"], settled: [], begun: [] };
  const answer = await storage.step({ ...about, request, claim: { begin, ahead: 0, lease: LEASE, ids } });
  return answer.claimed;
}

describe.skipIf(!hasTestServer)("partitions", () => {
  let server: TestServer;
  let made = 0;

  beforeAll(async () => {
    server = await startTestServer(["--appendonly", "yes"]);
  });
  afterAll(() => server.stop());

  const newPrefix = (): string => `${server.keyPrefix}:${(made += 1)}`;

  async function fresh(partitions = PARTITIONS): Promise<{
    readonly storage: StorageContract;
    readonly prefix: string;
    readonly rows: () => Promise<readonly number[]>;
  }> {
    const prefix = newPrefix();
    const storage = await opened({ url: server.url, keyPrefix: prefix, partitions });
    return { storage, prefix, rows: () => rowsOf(server.url, prefix, partitions) };
  }

  test("what may not be claimed ahead begins, also where the first of all may not be claimed", async () => {
    const { storage } = await fresh();
    const gates = [{ kind: "lock", key: "door", max: 1, per: undefined, onBusy: "wait" }] as const;
    const locked = newJob({ gates });
    // In each partition one that nobody here can run.
    await store(storage, ...Array.from({ length: PARTITIONS }, () => newJob({ task: "rare", priority: 1 })));
    await store(storage, locked);
    const { claimed } = await step(storage, { claim: { begin: 1, ahead: 4, lease: LEASE } });
    expect(claimed.map(({ id }) => id)).toEqual([locked.id]);
  });

  test("the first jobs of all begin, and those behind them are claimed ahead, wherever they are", async () => {
    const { storage } = await fresh();
    const due = Date.now() - 1_000;
    const jobs = Array.from({ length: 3 * PARTITIONS }, (_, place) => newJob({ due: due + place }));
    await store(storage, ...jobs);
    const { claimed } = await step(storage, { claim: { begin: PARTITIONS, ahead: 100, lease: LEASE } });
    expect(claimed.map(({ id, begun }) => [id, begun])).toEqual(
      jobs.map(({ id }, place) => [id, place < PARTITIONS]),
    );
  });

  test("jobs that are stored one by one are spread evenly", async () => {
    const { storage, rows } = await fresh();
    const count = 2_000;
    for (let from = 0; from < count; from += 50) {
      await Promise.all(Array.from({ length: 50 }, () => store(storage, newJob())));
    }
    const each = count / PARTITIONS;
    const found = await rows();
    const chiSquare = found.reduce((sum, own) => sum + (own - each) ** 2 / each, 0);
    expect(found.reduce((sum, own) => sum + own, 0)).toBe(count);
    expect(chiSquare).toBeLessThan(CHI_SQUARE);
  });

  test("makers that make one id a millisecond spread them too", () => {
    const found = Array.from({ length: PARTITIONS }, () => 0);
    const first = 0x1_8000_0000_00;
    for (let number = 0; number < 4_000; number += 1) {
      // Every tenth millisecond, the first id of each.
      const time = (first + number * 10).toString(32).padStart(9, "0");
      const partition = partitionOf(`${time}1234000000000`.slice(0, 22), PARTITIONS);
      found[partition] = (found[partition] ?? 0) + 1;
    }
    const chiSquare = found.reduce((sum, own) => sum + (own - 1_000) ** 2 / 1_000, 0);
    expect(chiSquare).toBeLessThan(CHI_SQUARE);
  });

  test("a batch is spread evenly, and stored once when it comes again", async () => {
    const { storage, rows } = await fresh();
    const jobs = Array.from({ length: 1_000 }, () => newJob());
    // One of them was stored by a call that was not answered.
    await store(storage, jobs[500] as NewJob);
    const request = { queue: QUEUE, flows: jobs.map(alone) };
    const answer = await storage.enqueue(request);
    expect("flows" in answer && answer.flows.filter(({ status }) => status === "existing")).toHaveLength(1);
    const found = await rows();
    // Those of one maker and millisecond go round, and each begins at another partition.
    const rounds = new Set(jobs.map(({ id }) => roundOf(id))).size;
    expect(Math.max(...found) - Math.min(...found)).toBeLessThanOrEqual(rounds);
    const repeated = await storage.enqueue(request);
    expect("flows" in repeated && new Set(repeated.flows.map(({ status }) => status))).toEqual(
      new Set(["existing"]),
    );
    expect("flows" in repeated && repeated.flows.map(({ id }) => id)).toEqual(jobs.map(({ id }) => id));
    expect(await rows()).toEqual(found);
  });

  test("an enqueue that comes again stores nothing more", async () => {
    const { storage, rows } = await fresh();
    for (let number = 0; number < 20; number += 1) {
      const request = { queue: QUEUE, flows: [alone(newJob())] };
      await storage.enqueue(request);
      const found = await rows();
      expect(await storage.enqueue(request)).toMatchObject({ flows: [{ status: "existing" }] });
      expect(await rows()).toEqual(found);
    }
  });

  test("what others have to know of stays at home", async () => {
    const { storage, rows } = await fresh();
    const gates = [{ kind: "lock", key: "door", max: 1, per: undefined, onBusy: "wait" }] as const;
    const unique = { until: "final", onConflict: "ignore" } as const;
    const keep = { completed: undefined, failed: undefined, completedMax: 3 };
    for (let number = 0; number < 8; number += 1) {
      await store(storage, newJob({ gates }));
      await store(storage, newJob({ unique: { key: `key ${number}`, ...unique } }));
      await store(storage, newJob({ id: `name ${number}` }));
      await store(storage, newJob({ keep }));
      await storage.enqueue({ queue: QUEUE, flows: [chain(newJob(), newJob())] });
    }
    expect(await rows()).toEqual([48, 0, 0, 0]);
  });

  test("an id of our form that a caller gives is found, and means the job that has it", async () => {
    const { storage, rows } = await fresh();
    const plain = Array.from({ length: 8 }, () => newJob());
    await store(storage, ...plain);
    const found = await rows();
    for (const { id } of plain) {
      const same = newJob({ id });
      expect(await storage.enqueue({ queue: QUEUE, flows: [alone(same)] })).toMatchObject({
        flows: [{ status: "existing", id }],
      });
      const other = alone(newJob({ id, task: "other" }));
      const refused = await refusalOf(storage.enqueue({ queue: QUEUE, flows: [other] }));
      expect(refused.code).toBe("TASKQ_ID_TAKEN");
    }
    expect(await rows()).toEqual(found);
    const given = Array.from({ length: 8 }, () => newJob({ named: true }));
    await store(storage, ...given);
    expect((await rows()).slice(1)).toEqual(found.slice(1));
    const ids = given.map(({ id }) => id);
    const records = await storage.read({ queue: QUEUE, ids });
    expect(records.map((record) => record?.id)).toEqual(ids);
    const revoke = { kind: "revoke", scope: "flow" } as const;
    expect((await storage.amend({ queue: QUEUE, ids, change: revoke })).changed).toEqual(ids);
  });

  test("jobs of every partition are read, explained, noted, moved, revoked and retried by their ids", async () => {
    const { storage } = await fresh();
    const jobs = Array.from({ length: 12 }, () => newJob());
    const ids = jobs.map(({ id }) => id);
    await store(storage, ...jobs);
    const about = { queue: QUEUE, ids };
    const states = async (): Promise<ReadonlySet<string | undefined>> =>
      new Set((await storage.read(about)).map((record) => record?.state));
    const due = Date.now() + 60_000;
    expect((await storage.amend({ ...about, change: { kind: "reschedule", due } })).changed).toEqual(ids);
    expect(await states()).toEqual(new Set(["scheduled"]));
    const facts = await storage.explain(about);
    expect(facts.map(({ id, causes }) => [id, causes[0]])).toEqual(
      ids.map((id) => [id, { code: "not-due", at: due }]),
    );
    await storage.amend({ ...about, change: { kind: "reschedule", due: Date.now() } });
    const claimed = await claim(storage, { request: 1, begin: 12 });
    expect(claimed).toHaveLength(12);
    for (const { id, fence } of claimed) {
      const noted = { queue: QUEUE, run: { id, fence }, kind: "log", bytes: new Uint8Array([7]) } as const;
      expect(await storage.note(noted)).toBe(true);
      expect(await storage.notes({ queue: QUEUE, id })).toHaveLength(1);
    }
    const renewed = await storage.renew({ queue: QUEUE, owner: "owner", lease: LEASE, runs: claimed });
    expect(renewed.lost).toEqual([]);
    const outcome = { kind: "failed", error: new Uint8Array([1]) } as const;
    const settled = claimed.map(({ id, fence }) => ({ id, fence, startedAt: 0, outcome, add: undefined }));
    const settling = { queue: QUEUE, owner: "other", request: 1, tasks: [], begun: [], claim: undefined };
    expect(new Set((await storage.step({ ...settling, settled })).settled)).toEqual(new Set(["applied"]));
    expect((await storage.amend({ ...about, change: { kind: "retry" } })).changed).toEqual(ids);
    expect(await states()).toEqual(new Set(["ready"]));
    const revoke = { kind: "revoke", scope: "flow" } as const;
    expect((await storage.amend({ ...about, change: revoke })).changed).toEqual(ids);
    expect(await states()).toEqual(new Set(["cancelled"]));
    const counts = await storage.counts({ queue: QUEUE });
    expect(counts["*"]).toMatchObject({ cancelled: 12, ready: 0, active: 0 });
  });

  test("a run begins where it is, also when an earlier run of its job is settled once more meanwhile", async () => {
    const { storage } = await fresh();
    const jobs = Array.from({ length: PARTITIONS }, () => newJob());
    // Of a flow, so at home, wherever its id says.
    const first = jobs.find(({ id }) => partitionOf(id, PARTITIONS) !== 0) as NewJob;
    await storage.enqueue({ queue: QUEUE, flows: [chain(first, newJob())] });
    const [early] = await claim(storage, { request: 1 });
    const { id } = first;
    const outcome = { kind: "retry", due: 0, error: undefined, counts: false } as const;
    const settled = [{ id, fence: early?.fence ?? 0, startedAt: 0, outcome, add: undefined }];
    await step(storage, { settled });
    const { claimed } = await step(storage, { claim: { begin: 0, ahead: 1, lease: LEASE } });
    expect((await step(storage, { settled })).settled).toEqual(["repeated"]);
    await step(storage, { begun: claimed.map((run) => ({ id: run.id, fence: run.fence })) });
    const [record] = await storage.read({ queue: QUEUE, ids: [id] });
    expect(record).toMatchObject({ state: "active", startedAt: expect.any(Number) as number });
  });

  test("as long as nobody else claims, jobs are claimed by priority and due over all partitions", async () => {
    const { storage } = await fresh();
    const jobs = Array.from({ length: 60 }, (_, number) =>
      newJob({ priority: (number * 7) % 5, due: 1_000 + ((number * 13) % 60) }),
    );
    await store(storage, ...jobs);
    const expected = jobs
      .toSorted((left, right) => right.priority - left.priority || left.due - right.due)
      .map(({ id }) => id);
    const claimed: string[] = [];
    for (let request = 1; claimed.length < jobs.length; request += 1) {
      const some = await claim(storage, { request, begin: 1 + (request % 7) });
      claimed.push(...some.map(({ id }) => id));
    }
    expect(claimed).toEqual(expected);
  });

  test("a claim that is full by its bytes hands out none that come behind the others, and says that there is more", async () => {
    const { storage } = await fresh();
    const ids = Array.from({ length: 4 * PARTITIONS }, () => newJob().id);
    const body = new Uint8Array(CALL_BYTES);
    const inOne = ids.filter((id) => partitionOf(id, PARTITIONS) === 1);
    const large = inOne.map((id) => newJob({ id, named: false, body, priority: 1 }));
    await store(storage, ...large, ...Array.from({ length: PARTITIONS }, () => newJob()));
    for (const [request, job] of large.slice(0, 2).entries()) {
      const asked = { owner: `owner ${request}`, claim: { begin: 3, ahead: 0, lease: LEASE } };
      const { claimed, more } = await step(storage, asked);
      expect([claimed.map(({ id }) => id), more]).toEqual([[job.id], true]);
    }
  });

  test("never are more handed out than asked for, whoever asks beside", async () => {
    const { storage } = await fresh();
    await store(storage, ...Array.from({ length: 200 }, () => newJob()));
    const about = { queue: QUEUE, tasks: ["work"], settled: [], begun: [] };
    const lease = { begin: 3, ahead: 4, lease: LEASE };
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, number) =>
        storage.step({ ...about, owner: `owner ${number}`, request: 1, claim: lease }),
      ),
    );
    for (const { claimed } of answers) {
      expect(claimed.length).toBeLessThanOrEqual(7);
      expect(claimed.filter(({ begun }) => begun).length).toBeLessThanOrEqual(3);
    }
    const ids = answers.flatMap(({ claimed }) => claimed.map(({ id }) => id));
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.length).toBeGreaterThan(100);
  });

  test("a task that is revoked once skips one job, of whichever partition", async () => {
    const { storage } = await fresh();
    await store(storage, ...Array.from({ length: 12 }, () => newJob()));
    const change = { kind: "revoke", once: true, until: undefined } as const;
    await storage.control({ queue: QUEUE, task: "work", change });
    expect(await claim(storage, { request: 1, begin: 12 })).toHaveLength(11);
    const counts = await storage.counts({ queue: QUEUE });
    expect(counts["*"]).toMatchObject({ active: 11, cancelled: 1 });
  });

  test("each job of a task that is revoked once tells so, until it has skipped one", async () => {
    const { storage } = await fresh();
    const jobs = Array.from({ length: 20 }, () => newJob());
    await store(storage, ...jobs);
    const ids = jobs.map(({ id }) => id);
    const codes = async () => {
      const facts = await storage.explain({ queue: QUEUE, ids });
      return facts.map(({ causes }) => causes.map(({ code }) => code).join());
    };
    expect(new Set(await codes())).toEqual(new Set(["waiting"]));
    const change = { kind: "revoke", once: true, until: Date.now() + 60_000 } as const;
    await storage.control({ queue: QUEUE, task: "work", change });
    expect(new Set(await codes())).toEqual(new Set(["revoked,waiting"]));
    await claim(storage, { request: 1 });
    expect((await codes()).toSorted().slice(-17)).toEqual(Array.from({ length: 17 }, () => "waiting"));
  });

  test("a task that is revoked once skips one job that is claimed by its id, of whichever partition", async () => {
    const { storage } = await fresh();
    const jobs = Array.from({ length: 12 }, () => newJob());
    await store(storage, ...jobs);
    const change = { kind: "revoke", once: true, until: undefined } as const;
    const away = jobs.find(({ id }) => partitionOf(id, PARTITIONS) > 0)?.id ?? "";
    await storage.control({ queue: QUEUE, task: "work", change });
    expect(await claim(storage, { request: 1, ids: [away] })).toEqual([]);
    const ids = jobs.map(({ id }) => id);
    expect(await claim(storage, { request: 2, begin: 12, ids })).toHaveLength(11);
    const counts = await storage.counts({ queue: QUEUE });
    expect(counts["*"]).toMatchObject({ active: 11, cancelled: 1 });
  });

  test("the feed has the events of all partitions once, in the order of their instants, page by page", async () => {
    const { storage } = await fresh();
    const follow = { queue: QUEUE, limit: 300 };
    const first = await storage.events({ ...follow, from: "now" });
    // More of each partition than are gathered at once.
    const jobs = Array.from({ length: 7_200 }, () => newJob());
    for (let from = 0; from < jobs.length; from += 1_200)
      await store(storage, ...jobs.slice(from, from + 1_200));
    await storage.enqueue({ queue: QUEUE, flows: [chain(newJob(), newJob())] });
    let cursor = first.cursor;
    const seen: { readonly id: string; readonly time: number }[] = [];
    for (let request = 1; ; request += 1) {
      const claimed = await claim(storage, { request, begin: 800 });
      if (claimed.length === 0) break;
      const outcome = { kind: "completed", result: undefined } as const;
      const settled = claimed.map(({ id, fence }) => ({ id, fence, startedAt: 0, outcome, add: undefined }));
      const about = { queue: QUEUE, owner: "owner", tasks: [], begun: [], claim: undefined };
      await storage.step({ ...about, request, settled });
      // Somebody reads while others end.
      if (request % 9 > 0) continue;
      const page = await storage.events({ ...follow, from: cursor });
      seen.push(...page.events);
      ({ cursor } = page);
    }
    for (;;) {
      const page = await storage.events({ ...follow, from: cursor });
      if (page.events.length === 0) break;
      seen.push(...page.events);
      ({ cursor } = page);
    }
    expect(seen).toHaveLength(7_202);
    expect(new Set(seen.map(({ id }) => id)).size).toBe(7_202);
    const times = seen.map(({ time }) => time);
    expect(times).toEqual(times.toSorted((left, right) => left - right));
  });

  test("whoever runs jobs gathers the events of all partitions, also while nobody reads them", async () => {
    const { storage, prefix } = await fresh();
    const redis = new Redis(server.url);
    afterTest(() => redis.disconnect());
    const { cursor } = await storage.events({ queue: QUEUE, limit: 10, from: "now" });
    const jobs = Array.from({ length: 30 }, () => newJob());
    await store(storage, ...jobs);
    const outcome = { kind: "completed", result: undefined } as const;
    const settled = (await claim(storage, { request: 1, begin: 30 })).map(({ id, fence }) => {
      return { id, fence, startedAt: 0, outcome, add: undefined };
    });
    const about = { queue: QUEUE, owner: "owner", tasks: [], begun: [], claim: undefined };
    await storage.step({ ...about, request: 2, settled });
    const atHome = (): Promise<number> => redis.xlen(`${keyBase(prefix, QUEUE, 0)}feed`);
    expect(await atHome()).toBeLessThan(30);
    await sleep(10_100);
    await storage.reap({ queue: QUEUE, limit: 10 });
    expect(await atHome()).toBe(30);
    expect((await storage.events({ queue: QUEUE, limit: 100, from: cursor })).events).toHaveLength(30);
  });

  test("another number of partitions is refused, and says what to do", async () => {
    const { prefix } = await fresh(3);
    const open = (keyPrefix: string, partitions: number) =>
      refusalOf(opened({ url: server.url, keyPrefix, partitions }));
    for (const partitions of [1, 2, 4]) {
      const refused = await open(prefix, partitions);
      expect([refused.code, refused.message]).toEqual([
        "TASKQ_OPTION",
        `redisStorage partitions: expected 3, the number that the queue "main" was made with, got ${partitions}; ` +
          `write partitions: 3, or move the queue to a storage of another keyPrefix that has partitions: ${partitions}`,
      ]);
    }
    const whole = newPrefix();
    await opened({ url: server.url, keyPrefix: whole });
    expect((await open(whole, 2)).message).toContain("expected 1, the number");
    await opened({ url: server.url, keyPrefix: whole, partitions: 1 });
  });

  test("a queue moves to several partitions and back, with all that it has", async () => {
    const work = task("work", async (left: number) => left + 1);
    const make = (partitions: number) => {
      const storage = redisStorage({ url: server.url, keyPrefix: newPrefix(), partitions });
      const queue = createQueue({ name: QUEUE, storage, tasks: { work } });
      afterTest(() => queue.close());
      return queue;
    };
    const [whole, spread, back] = [make(1), make(3), make(2)];
    const ids: string[] = [];
    for (let number = 0; number < 40; number += 1) ids.push((await whole.enqueue(work.job(number))).id);
    await moveQueue(whole, spread);
    for (let number = 0; number < 40; number += 1) ids.push((await spread.enqueue(work.job(40 + number))).id);
    await spread.enqueue(work.job(0).pipe(work));
    const { counts } = await moveQueue(spread, back);
    expect(counts).toMatchObject({ "job waiting": 81, "job blocked": 1 });
    const consumer = createConsumer(back);
    await consumer.start();
    const results = await Promise.all(ids.map((id) => back.result(id).wait()));
    expect(results).toEqual(ids.map((_, number) => number + 1));
    await consumer.stop();
  });

  test("consumers run plain jobs, flows, groups and locked jobs side by side", async () => {
    let inside = 0;
    let most = 0;
    const add = task(
      "add",
      async ({ left, right }: { readonly left: number; readonly right: number }) => left + right,
    );
    const one = task("one", { lock: "door" }, async () => {
      most = Math.max(most, (inside += 1));
      await new Promise((resolve) => setTimeout(resolve, 2));
      inside -= 1;
      return "done";
    });
    const sum = task("sum", async (numbers: number[]) => numbers.reduce((left, right) => left + right, 0));
    const keyPrefix = newPrefix();
    const make = () =>
      createQueue({
        name: QUEUE,
        storage: redisStorage({ url: server.url, keyPrefix, partitions: 3 }),
        tasks: { add, one, sum },
      });
    const queues = [make(), make(), make()];
    afterTest(async () => void (await Promise.all(queues.map((queue) => queue.close()))));
    const [producer, ...others] = queues as [ReturnType<typeof make>, ...ReturnType<typeof make>[]];
    const consumers = others.map((queue) => createConsumer(queue));
    await Promise.all(consumers.map((consumer) => consumer.start()));
    const many = await producer.enqueueMany(
      Array.from({ length: 100 }, (_, n) => add.job({ left: n, right: 1 })),
    );
    const locked = await producer.enqueueMany(Array.from({ length: 10 }, () => one.job()));
    const parts = group(Array.from({ length: 5 }, (_, n) => add.job({ left: n, right: n })));
    const total = await producer.enqueue(parts.pipe(sum));
    expect(await Promise.all(many.map((result) => result.wait()))).toEqual(
      Array.from({ length: 100 }, (_, n) => n + 1),
    );
    expect(new Set(await Promise.all(locked.map((result) => result.wait())))).toEqual(new Set(["done"]));
    expect(await total.wait()).toBe(20);
    expect(most).toBe(1);
    await Promise.all(consumers.map((consumer) => consumer.stop()));
  });
});
