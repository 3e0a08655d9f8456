// Rows that somebody has written into, by SQL: what stands in them counts for less, and no other job waits for it.
import { join } from "node:path";
import {
  createQueue,
  group,
  moveQueue,
  task,
  type Duration,
  type FailureReport,
  type Queue,
} from "@taskq/core";
import { advance } from "@taskq/core/testing";
import type { StorageContract } from "@taskq/core/storage";
import { memoryStorage } from "@taskq/memory";
import { sqliteStorage } from "@taskq/sqlite";
import Database from "better-sqlite3";
import { describe, expect, test } from "vitest";
import { afterTest, temporaryFolder } from "../support.js";

const add = task("add", async ({ a }: { a: number }) => a);
const keyed = task(
  "keyed",
  { lock: "one", limit: { key: "few", max: 100, per: "1h" }, unique: { key: "me" } },
  async (n: number) => n,
);
const sum = task("sum", async (numbers: readonly number[]) => numbers.length);
const fails = task("fails", async () => {
  throw new Error("it fails");
});
const alert = task("alert", async ({ id }: FailureReport) => id);
const tasks = { add, keyed, fails, sum, alert };

function setUp(): {
  readonly path: string;
  readonly queue: Queue<keyof typeof tasks>;
  readonly work: () => Promise<void>;
} {
  const path = join(temporaryFolder(), "jobs.db");
  const storage = sqliteStorage({ path });
  const queue = createQueue({ storage, tasks });
  afterTest(() => queue.close());
  const work = async (): Promise<void> => {
    const worker = createQueue({ storage, tasks, immediate: true });
    await advance(worker, 1);
    await worker.close();
  };
  return { path, queue, work };
}

function write(path: string, sql: string, ...values: readonly unknown[]): void {
  const file = new Database(path);
  try {
    expect(file.prepare(sql).run(...values).changes).toBeGreaterThan(0);
  } finally {
    file.close();
  }
}

const MANY = 20;
const BYTES = Buffer.from("7b00ff7d", "hex");

test.each([
  { column: "meta", value: "no JSON" },
  { column: "meta", value: "[1" },
  { column: "meta", value: "null" },
  { column: "meta", value: '{"gates":5}' },
  { column: "meta", value: '{"gates":[{"kind":"lock"}],"unique":"me"}' },
  { column: "meta", value: '{"name":7,"keep":[],"after":"x"}' },
  { column: "meta", value: BYTES },
  { column: "task", value: BYTES },
  { column: "due", value: BYTES },
  { column: "due", value: "soon" },
  { column: "priority", value: "high" },
  { column: "attempt", value: "first" },
  { column: "random", value: "x" },
  { column: "flags", value: "x" },
  { column: "expires", value: "x" },
  { column: "key", value: -5 },
  { column: "key", value: -(2n ** 63n) },
  { column: "key", value: 2n ** 63n - 1n },
])("all others run where $column of a job is $value", async ({ column, value }) => {
  const { path, queue, work } = setUp();
  await queue.enqueue(keyed.job(1), { id: "victim", headers: { secret: "canary" } });
  const others = await queue.enqueueMany(Array.from({ length: MANY }, (_, a) => add.job({ a })));
  write(path, `UPDATE taskq_jobs SET ${column} = ? WHERE task = 'keyed'`, value);
  await work();
  const outcomes = await Promise.all(others.map((result) => result.peek()));
  expect(outcomes).toEqual(Array.from({ length: MANY }, (_, a) => ({ state: "completed", value: a })));
  const next = await queue.enqueue(add.job({ a: 7 }));
  await work();
  expect(await next.peek()).toEqual({ state: "completed", value: 7 });
});

test.each(["no JSON", "{}", '{"gates":5}'])(
  "a job beside which no locks and keys stand, but %s, is quarantined: its bytes say that it has some",
  async (meta) => {
    const { path, queue, work } = setUp();
    const result = await queue.enqueue(keyed.job(1));
    write(path, "UPDATE taskq_jobs SET meta = ?", meta);
    await work();
    expect(await queue.counts()).toMatchObject({ quarantined: 1, completed: 0 });
    const job = await result.info();
    expect(job?.quarantine?.code ?? "TASKQ_SIGNATURE").toBe("TASKQ_SIGNATURE");
  },
);

test("a follower whose due is bytes is let go when its turn comes", async () => {
  const { path, queue, work } = setUp();
  const end = await queue.enqueue(add.job({ a: 1 }).pipe(add, { a: 2 } as never));
  write(path, "UPDATE taskq_jobs SET due = ? WHERE state = 2", BYTES);
  const other = await queue.enqueue(add.job({ a: 5 }));
  await work();
  expect(await other.peek()).toEqual({ state: "completed", value: 5 });
  expect((await end.peek())?.state).toBe("completed");
});

test.each([11, 31, 2 ** 28, -7, 5.5])("what is in state %s is removed, and all others run", async (state) => {
  const { path, queue, work } = setUp();
  await queue.enqueue(add.job({ a: 1 }));
  await work();
  write(path, "UPDATE taskq_jobs SET state = ?, ended = 1", state);
  const other = await queue.enqueue(add.job({ a: 5 }));
  await work();
  expect(await other.peek()).toEqual({ state: "completed", value: 5 });
  await queue.flush({ confirm: "default" });
  expect(await queue.job(other.id)).toBeUndefined();
});

test.each([
  { table: "holders", values: "1, x'00ff', 'h', 'o', 1, 1" },
  { table: "holders", values: "1, 'lock:a', x'00ff', x'00ff', 1, 1" },
  { table: "tickets", values: "1, 1, x'00ff', 't', 'o', 1, 1, 1, 1" },
  { table: "tickets", values: "1, 1, 'lock:a', x'00ff', x'00ff', x'00', x'00', 1, 99999999999999" },
  { table: "uniques", values: "1, x'00ff', 7, x'00', x'00', x'00', 1" },
  { table: "starts", values: "1, x'00ff', 1, 1, x'00', 1" },
  { table: "openings", values: "1, x'00ff', 1" },
  { table: "parking", values: "1, x'00ff', 1" },
  { table: "names", values: "1, x'00ff', NULL, x'00ff', x'00', 1" },
  { table: "controls", values: "1, x'00ff', x'00', x'00', x'00', x'00'" },
  { table: "leases", values: "9, 1, 7, 1, 1, 1, 1, NULL, 0, x'00ff'" },
  { table: "leases", values: "9, 1, 'x', 'x', 'x', 1, 'x', 'x', 'x', 'x'" },
  { table: "revoked", values: "9, 1, 1, x'00', x'00'" },
  { table: "doomed", values: "9, 1, x'00'" },
  { table: "capped", values: "1, x'00', x'00', 1, 9" },
  { table: "caps", values: "1, x'00', x'00', x'00', 1" },
  { table: "spared", values: "x'00', x'00'" },
])("all others run where $values stands in $table", async ({ table, values }) => {
  const { path, queue, work } = setUp();
  await queue.enqueue(add.job({ a: 1 }));
  await work();
  write(path, `INSERT INTO taskq_${table} VALUES (${values})`);
  write(path, "UPDATE taskq_queues SET wake = 1");
  const others = await queue.enqueueMany([add.job({ a: 5 }), keyed.job(3)]);
  await work();
  const outcomes = await Promise.all(others.map((result) => result.peek()));
  expect(outcomes).toEqual([5, 3].map((value) => ({ state: "completed", value })));
  await queue.flush({ confirm: "default" });
});

test.each(["completed_for", "failed_max", "shortest", "wake", "failed", "unknown_after", "version"])(
  "jobs run where %s of the queue is no number",
  async (column) => {
    const { path, queue, work } = setUp();
    await queue.enqueue(add.job({ a: 1 }), { id: "first" });
    write(path, `UPDATE taskq_queues SET ${column} = ?`, BYTES);
    await work();
    expect(await queue.result(add, "first").peek()).toEqual({ state: "completed", value: 1 });
  },
);

test("a failing job that has failed less than never is not tried again and again", async () => {
  const { path, queue, work } = setUp();
  const result = await queue.enqueue(fails.job());
  write(path, "UPDATE taskq_jobs SET failures = -9000000000000000");
  await work();
  expect(await result.peek()).toMatchObject({ state: "failed", error: { message: "it fails" } });
  expect((await result.info())?.attempt).toBe(1);
});

test.each([
  "no JSON",
  "{}",
  '{"max":1,"counts":[9007199254740991,1]}',
  '{"max":1,"counts":[1000000000,1]}',
  BYTES,
])(
  "statistics of this minute that are %s keep nothing from its end, and are told without them",
  async (damage) => {
    const { path, queue } = setUp();
    const storage = sqliteStorage({ path }) as unknown as StorageContract;
    const settle = async (): Promise<void> => {
      const [run] = await claimed(storage);
      const outcome = { kind: "completed", result: undefined } as const;
      const settlement = {
        id: run!.id,
        fence: run!.fence,
        startedAt: NOW,
        outcome,
        add: undefined,
        claimed: run,
      };
      const answer = await storage.step({
        ...REQUEST,
        request: ++request,
        settled: [settlement],
        last: true,
      });
      expect(answer.settled).toEqual(["applied"]);
    };
    afterTest(() => storage.close());
    await queue.enqueueMany([add.job({ a: 1 }), add.job({ a: 2 })]);
    await storage.open({ queue: "default", retention: RETENTION });
    await settle();
    write(path, "UPDATE taskq_stats SET wait = ?, run = ?", damage, damage);
    await settle();
    const { rows } = await storage.stats({ queue: "default", since: NOW, now: NOW });
    expect(rows.map(({ task: name, completed }) => ({ name, completed }))).toEqual([
      { name: "add", completed: 2 },
    ]);
    expect((await queue.stats()).total.runMs.max).toBeGreaterThanOrEqual(0);
  },
);

const NOW = Date.now() + 1_000;
const RETENTION = {
  completed: { for: 3_600_000, max: 1_000_000 },
  failed: { for: 604_800_000, max: 1_000_000 },
};
const REQUEST = { queue: "default", owner: "owner", tasks: ["add"], begun: [], claim: undefined, now: NOW };
let request = 0;

async function claimed(storage: StorageContract): ReturnType<typeof claimOne> {
  return claimOne(storage);
}

async function claimOne(storage: StorageContract) {
  const claim = { begin: 1, ahead: 0, lease: 30_000 };
  return (await storage.step({ ...REQUEST, request: ++request, settled: [], claim })).claimed;
}

test("a lease of which nothing is a number is over, and is not looked at without a pause", async () => {
  const { path, queue } = setUp();
  const storage = sqliteStorage({ path }) as unknown as StorageContract;
  afterTest(() => storage.close());
  await queue.enqueue(add.job({ a: 1 }));
  await storage.open({ queue: "default", retention: RETENTION });
  await claimOne(storage);
  write(path, "UPDATE taskq_leases SET length = ?, until = 'x', suspect = 'y', jobs = 'z'", "a\u0000b");
  for (const later of [1, 2, 40_000]) {
    const { nextAt } = await storage.reap({ queue: "default", limit: 10, now: NOW + later });
    expect(nextAt === undefined || nextAt > NOW + later).toBe(true);
  }
});

test("what is read of damaged rows is told by a TASKQ_STORAGE, if at all, and quotes nothing", async () => {
  const { path, queue } = setUp();
  await queue.values.set("value", "canary");
  const result = await queue.enqueue(add.job({ a: 1 }), { delay: "1h" });
  write(path, "UPDATE taskq_values SET bytes = 'canary'");
  write(path, "UPDATE taskq_jobs SET due = 9e18, started = 9e18, gate = ?", BYTES);
  const told: unknown[] = [];
  for (const read of [
    () => queue.values.get("value"),
    () => queue.values.compareAndDelete("value", "other"),
    () => queue.why(result.id),
    () => result.info(),
    () => queue.stats(),
  ]) {
    await read().catch((error: unknown) => told.push(error));
  }
  for (const error of told) {
    expect(error).toMatchObject({ code: expect.stringMatching(/^TASKQ_(?:STORAGE|INPUT)$/) });
    expect(String(error)).not.toContain("canary");
  }
});

test("a group that is a part of itself ends nobody who reads it, and what follows it is quarantined", async () => {
  const { path, queue, work } = setUp();
  const members = [add.job({ a: 1 }), add.job({ a: 2 })] as const;
  const alone = await queue.enqueue(group(members, { mode: "settled" }));
  const chord = await queue.enqueue(group(members).pipe(sum));
  await work();
  write(path, "UPDATE taskq_edges SET id = ? WHERE follower = ?", alone.id, alone.id);
  await expect(alone.peek()).rejects.toMatchObject({ code: "TASKQ_STORAGE" });
  write(
    path,
    "UPDATE taskq_edges SET source = target WHERE position = 0 AND target = (SELECT source FROM taskq_edges WHERE follower = ?)",
    chord.id,
  );
  const other = await queue.enqueue(add.job({ a: 5 }));
  write(path, "UPDATE taskq_jobs SET state = 0, gate = NULL WHERE task = 'sum'");
  await work();
  expect(await other.peek()).toEqual({ state: "completed", value: 5 });
  expect((await chord.peek())?.state).toBe("quarantined");
});

test("a group that leads to itself hangs nobody who looks at its members, and all others run", async () => {
  const { path, queue, work } = setUp();
  const end = await queue.enqueue(group([add.job({ a: 1 }), add.job({ a: 2 })]).pipe(sum));
  write(path, "UPDATE taskq_jobs SET trunk = key WHERE task = ''");
  const other = await queue.enqueue(add.job({ a: 5 }));
  expect((await end.info())?.state).toBe("blocked");
  await work();
  expect(await other.peek()).toEqual({ state: "completed", value: 5 });
});

const locked = task("locked", { lock: "one" }, async (n: number) => n);
const limited = task("limited", { limit: { key: "few", max: 1, per: "10ms" } }, async (n: number) => n);
const alone = task("alone", { unique: { key: "me", while: "unfinished" } }, async (n: number) => n);

function jobOf(name: "locked" | "limited" | "alone", n: number) {
  return name === "locked" ? locked.job(n) : name === "limited" ? limited.job(n) : alone.job(n);
}

/** Jobs of one task, of which the first is running and the others wait in its line. */
async function line(name: "locked" | "limited" | "alone", count: number) {
  const path = join(temporaryFolder(), "jobs.db");
  const storage = sqliteStorage({ path });
  const contract = storage as unknown as StorageContract;
  const all = { locked, limited, alone };
  const queue = createQueue({ storage, tasks: all });
  afterTest(() => queue.close());
  await queue.enqueueMany(Array.from({ length: count }, (_, n) => jobOf(name, n)));
  const step = { ...REQUEST, tasks: [name], now: undefined, settled: [] };
  const claim = { begin: count, ahead: 0, lease: 30_000 };
  const [run, ...more] = (await contract.step({ ...step, request: ++request, claim })).claimed;
  expect(more).toEqual([]);
  return {
    path,
    queue,
    end: async () => {
      const outcome = { kind: "completed", result: undefined } as const;
      const settlement = {
        id: run!.id,
        fence: run!.fence,
        startedAt: NOW,
        outcome,
        add: undefined,
        claimed: run,
      };
      const answer = await contract.step({ ...step, request: ++request, settled: [settlement] });
      expect(answer.settled).toEqual(["applied"]);
    },
    work: async (by: Duration = "1m") => {
      const worker = createQueue({ storage, tasks: all, immediate: true });
      await advance(worker, by);
      await worker.close();
    },
  };
}

test.each(["locked", "limited"] as const)(
  "whoever waits in a line of a %s task goes on where the first one no longer says what it waits for",
  async (name) => {
    const { path, queue, end, work } = await line(name, 4);
    write(
      path,
      "UPDATE taskq_jobs SET meta = '{}' WHERE key = (SELECT key FROM taskq_jobs WHERE state = 3 ORDER BY due, key LIMIT 1)",
    );
    await end();
    await work();
    expect(await queue.counts()).toMatchObject({ completed: 3, quarantined: 1, parked: 0 });
    // Nor does it keep a place that nobody gives back.
    await queue.enqueue(jobOf(name, 9));
    await work();
    expect(await queue.counts()).toMatchObject({ completed: 4, parked: 0 });
  },
);

test("a lock is free when the run ends that held it, though its row no longer says that it did", async () => {
  const { path, queue, end, work } = await line("locked", 3);
  write(path, "UPDATE taskq_jobs SET meta = 'no JSON' WHERE state = 4");
  await end();
  await work();
  expect(await queue.counts()).toMatchObject({ completed: 3, parked: 0 });
});

test("a unique key is free when the job ends that had it, though its row no longer says that it did", async () => {
  const { path, queue, end, work } = await line("alone", 1);
  write(path, "UPDATE taskq_jobs SET meta = 'no JSON' WHERE state = 4");
  await end();
  const next = await queue.enqueue(alone.job(2));
  expect(next.existing).toBe(false);
  await work();
  expect(await next.peek()).toEqual({ state: "completed", value: 2 });
});

test("a row that follows itself does not keep a queue from moving", async () => {
  const { path, queue } = setUp();
  await queue.enqueue(group([add.job({ a: 1 })]).pipe(sum), { delay: "1h" });
  write(path, "UPDATE taskq_edges SET id = follower, source = target WHERE condition = 0");
  const target = createQueue({
    storage: sqliteStorage({ path: join(temporaryFolder(), "target.db") }),
    tasks,
  });
  afterTest(() => target.close());
  await moveQueue(queue, target);
  expect(await target.counts()).toMatchObject({ scheduled: 1, blocked: 1 });
});

describe("a job in a state that there is none of", () => {
  test.each(["x", 5.5, -1, 99, 2 ** 40, BYTES])(
    "%j: whoever waits is told, it is listed as quarantined, and a retry by hand runs it",
    async (state) => {
      const { path, queue, work } = setUp();
      const result = await queue.enqueue(add.job({ a: 1 }), { id: "victim" });
      write(path, "UPDATE taskq_jobs SET state = ?", state);
      await expect(result.wait({ timeout: "10s" })).rejects.toMatchObject({
        code: "TASKQ_QUARANTINED",
        error: { details: { code: "TASKQ_STORAGE" } },
      });
      const listed: string[] = [];
      for await (const { id } of queue.jobs({ state: "quarantined" })) listed.push(id);
      expect(listed).toEqual(["victim"]);
      expect(await queue.why("victim")).toMatchObject({ state: "quarantined" });
      await work();
      expect(await result.state()).toBe("quarantined");
      await queue.retry("victim");
      await work();
      expect(await result.peek()).toEqual({ state: "completed", value: 1 });
      expect(await queue.counts()).toMatchObject({ completed: 1, quarantined: 0 });
    },
  );

  test("lets go what waits behind it, and is counted, once it is come by", async () => {
    const { path, queue, work } = setUp();
    const end = await queue.enqueue(
      keyed
        .job(1)
        .pipe(add, { a: 2 } as never)
        .onError(alert),
    );
    const other = await queue.enqueue(keyed.job(2), { unique: { key: "another" } });
    write(
      path,
      "UPDATE taskq_jobs SET state = 'x' WHERE task = 'keyed' AND key = (SELECT min(key) FROM taskq_jobs)",
    );
    const storage = sqliteStorage({ path }) as unknown as StorageContract;
    afterTest(() => storage.close());
    await storage.open({ queue: "default", retention: RETENTION });
    const later = Date.now() + RETENTION.completed.for + 1_000;
    await storage.purge({ queue: "default", limit: 100, now: later });
    expect(await queue.counts()).toMatchObject({ quarantined: 1, skipped: 1 });
    expect(await end.peek()).toMatchObject({ state: "skipped", cause: end.stages[0]?.id });
    await work();
    expect(await other.peek()).toEqual({ state: "completed", value: 2 });
    expect((await queue.counts({ by: "task" }))["alert"]).toMatchObject({ completed: 1 });
  });
});

describe("an id of the caller's whose job somebody has removed", () => {
  test.each(["DELETE FROM taskq_jobs", "UPDATE taskq_jobs SET queue = 99", "UPDATE taskq_jobs SET key = 99"])(
    "by %s is free again: what is enqueued under it is stored, and runs",
    async (removal) => {
      const { path, queue, work } = setUp();
      const gone = await queue.enqueue(add.job({ a: 1 }), { id: "mine" });
      write(path, removal);
      expect(await queue.job("mine")).toBeUndefined();
      await expect(gone.wait({ timeout: "10s" })).rejects.toMatchObject({ code: "TASKQ_STORAGE" });
      const again = await queue.enqueue(add.job({ a: 2 }), { id: "mine" });
      expect(again.existing).toBe(false);
      await work();
      expect(await again.peek()).toEqual({ state: "completed", value: 2 });
    },
  );
});

test.each([BYTES, -1, "no JSON", '{"name":7}'])(
  "jobs with ids of the caller's beside which %j stands end with their first run, and are told under their ids",
  async (meta) => {
    const { path, queue, work } = setUp();
    const plain = await queue.enqueue(add.job({ a: 1 }), { id: "my plain one" });
    const gated = await queue.enqueue(keyed.job(1), { id: "my gated one" });
    write(path, "UPDATE taskq_jobs SET meta = ?", meta);
    await work();
    expect(await plain.wait({ timeout: "10s" })).toBe(1);
    await expect(gated.wait({ timeout: "10s" })).rejects.toMatchObject({
      code: "TASKQ_QUARANTINED",
      error: { details: { code: "TASKQ_SIGNATURE" } },
    });
    expect(await queue.counts()).toMatchObject({ active: 0, completed: 1, quarantined: 1 });
  },
);

test.each([
  { table: "holders", values: "1, x'00ff', 't:h', 'o', 1, 99999999999999" },
  { table: "holders", values: "1, 'lock:a', 't:h', x'00ff', 1, 99999999999999" },
  { table: "starts", values: "1, x'00ff', 1, 1, x'00', 99999999999999" },
  { table: "starts", values: "1, 'limit:a', 1, 1, x'00', 99999999999999" },
  { table: "uniques", values: "1, x'00ff', 7, x'00', x'00', x'00', 99999999999999" },
  { table: "names", values: "1, x'00ff', NULL, x'00ff', x'00', 99999999999999" },
  { table: "controls", values: "1, x'00ff', x'00', x'00', x'00', x'00'" },
])("a queue moves to another kind of storage where $values stands in $table", async ({ table, values }) => {
  const { path, queue } = setUp();
  await queue.enqueue(add.job({ a: 1 }));
  write(path, `INSERT INTO taskq_${table} VALUES (${values})`);
  const to = createQueue({ storage: memoryStorage(), tasks });
  afterTest(() => to.close());
  await moveQueue(queue, to);
  expect(await to.counts()).toMatchObject({ ready: 1 });
});

test.each(["x", "", "1", "-7", BYTES])(
  "whoever waits in a line goes on where %j stands in the place of who holds the lock",
  async (holder) => {
    const { path, queue, end, work } = await line("locked", 3);
    write(path, "UPDATE taskq_holders SET holder = ?", holder);
    await end();
    // It is looked for once a minute, in the steps that are taken anyway.
    for (const delay of ["2m", "4m"] as const)
      await queue.enqueue(alone.job(1), { delay, unique: { key: delay } });
    await work("5m");
    expect(await queue.counts()).toMatchObject({ completed: 5, parked: 0 });
  },
);

test.each([
  "UPDATE taskq_notes SET position = x'00ff' WHERE position = 1",
  "UPDATE taskq_notes SET position = 'x' WHERE position = 1",
  "UPDATE taskq_notes SET position = -9 WHERE position = 1",
  "UPDATE taskq_jobs SET key = -9 WHERE task = 'add' AND state = 5 AND key = (SELECT min(key) FROM taskq_jobs WHERE task = 'add')",
  "UPDATE taskq_controls SET paused = 'x'",
  "UPDATE taskq_controls SET paused = -1",
  "UPDATE taskq_uniques SET name = ''",
])("a queue moves with all that can be read, after %s", async (damage) => {
  const noted = task("noted", async (n: number, { log }) => {
    for (const said of ["first", "second"]) log.info(said);
    return n;
  });
  const all = { ...tasks, noted };
  const path = join(temporaryFolder(), "jobs.db");
  const storage = sqliteStorage({ path });
  const worker = createQueue({ storage, tasks: all, immediate: true });
  await worker.enqueue(noted.job(1), { id: "noted" });
  await worker.enqueueMany([add.job({ a: 1 }), add.job({ a: 2 })]);
  await worker.enqueue(add.job({ a: 3 }), { id: "last" });
  await worker.close();
  const from = createQueue({ storage: sqliteStorage({ path }), tasks: all });
  const to = createQueue({ storage: memoryStorage(), tasks: all });
  afterTest(() => from.close());
  afterTest(() => to.close());
  await from.pause(alert);
  await from.enqueue(keyed.job(1), { delay: "1h" });
  write(path, damage);
  await moveQueue(from, to);
  expect(await to.result("last").peek()).toEqual({ state: "completed", value: 3 });
  expect(await to.result("noted").peek()).toEqual({ state: "completed", value: 1 });
  expect((await to.result("noted").logs()).at(-1)?.message).toBe("second");
});

test.each([
  "UPDATE taskq_feeds SET queue = 99",
  "DELETE FROM taskq_feeds",
  "UPDATE taskq_feeds SET last = 'x'",
  "UPDATE taskq_feeds SET last = x'00ff'",
  "UPDATE taskq_feeds SET last = 0",
  "UPDATE taskq_feeds SET last = -5",
  "UPDATE taskq_feeds SET last = 9223372036854775807",
])("jobs end where the feed of events is followed, after %s", async (damage) => {
  const { path, queue, work } = setUp();
  const stop = new AbortController();
  const events = queue.events({ from: "start", signal: stop.signal })[Symbol.asyncIterator]();
  const first = events.next();
  await queue.enqueue(add.job({ a: 1 }), { id: "before" });
  await work();
  expect(await first).toMatchObject({ value: { id: "before" } });
  write(path, damage);
  const results = await queue.enqueueMany([add.job({ a: 2 }), add.job({ a: 3 })]);
  await work();
  expect(await Promise.all(results.map((result) => result.peek()))).toEqual(
    [2, 3].map((value) => ({ state: "completed", value })),
  );
  stop.abort();
});
