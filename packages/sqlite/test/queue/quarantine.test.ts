// Jobs that cannot be read: put aside with reason and bytes, never run, and in nobody's way.
import { join } from "node:path";
import {
  createQueue,
  every,
  jsonSerializer,
  task,
  type FailureReport,
  type JobInfo,
  type Queue,
  type QueueEvent,
  type QueueOptions,
  type Serializer,
} from "@taskq/core";
import { malformedMessages, plainJob } from "@taskq/conformance";
import { advance, virtualClock } from "@taskq/core/testing";
import { createIdMaker, type StorageContract } from "@taskq/core/storage";
import { memoryStorage } from "@taskq/memory";
import { sqliteStorage } from "@taskq/sqlite";
import Database from "better-sqlite3";
import { describe, expect, onTestFinished, test } from "vitest";
import { afterTest, temporaryFolder } from "../support.js";
import { taggedSerializer } from "./tagged.js";

const makeId = createIdMaker();
const text = new TextEncoder();
const message = (fields: object): Uint8Array => text.encode(JSON.stringify({ v: 1, task: "add", ...fields }));

interface Store {
  readonly storage: StorageContract;
  /** Stores jobs of a task with these bytes for bodies, and answers their ids. */
  readonly put: (bodies: readonly Uint8Array[]) => Promise<readonly string[]>;
}

async function putThrough(
  storage: StorageContract,
  bodies: readonly Uint8Array[],
): Promise<readonly string[]> {
  const due = Date.now() - 1;
  const jobs = bodies.map((body) => plainJob(makeId(Date.now()), { task: "add", body, due }));
  for (let from = 0; from < jobs.length; from += 500) {
    const flows = jobs.slice(from, from + 500).map((job) => ({ end: job.id, jobs: [job], joins: [] }));
    await storage.enqueue({ queue: "default", flows });
  }
  return jobs.map(({ id }) => id);
}

const stores: readonly { readonly name: string; readonly make: () => Store }[] = [
  {
    name: "memory, through the contract",
    make() {
      const storage = memoryStorage() as unknown as StorageContract;
      return { storage, put: (bodies) => putThrough(storage, bodies) };
    },
  },
  {
    name: "SQLite, by SQL",
    make() {
      const path = join(temporaryFolder(), "jobs.db");
      const storage = sqliteStorage({ path }) as unknown as StorageContract;
      return {
        storage,
        async put(bodies) {
          const ids = await putThrough(
            storage,
            bodies.map((_, index) => text.encode(`placeholder ${index}`)),
          );
          const file = new Database(path);
          try {
            const change = file.prepare("UPDATE taskq_jobs SET body = ? WHERE body = ?");
            file.transaction(() => {
              for (const [index, body] of bodies.entries()) {
                change.run(Buffer.from(body), Buffer.from(text.encode(`placeholder ${index}`)));
              }
            })();
          } finally {
            file.close();
          }
          return ids;
        },
      };
    },
  },
];

const ran: number[] = [];
const add = task("add", { retries: 3 }, async ({ a }: { a: number }) => {
  ran.push(a);
  return a;
});
const tasks = { add };

function queueOn<const Tasks extends object>(
  storage: unknown,
  given: Tasks,
  options: Partial<QueueOptions> = {},
): ReturnType<typeof createQueue<Tasks>> {
  const queue = createQueue({ storage: storage as QueueOptions["storage"], tasks: given, ...options });
  onTestFinished(() => queue.close());
  return queue;
}

async function listed(queue: Queue): Promise<JobInfo[]> {
  const jobs: JobInfo[] = [];
  for await (const job of queue.jobs({ state: "quarantined" })) jobs.push(job);
  return jobs;
}

describe.each(stores)("quarantine on $name", ({ make }) => {
  test("500 malformed messages among 500 good ones are put aside with reason and bytes, and the good ones run", async () => {
    const { storage, put } = make();
    const queue = queueOn(storage, tasks);
    await queue.counts();
    const bodies = malformedMessages(500, 11);
    const good: string[] = [];
    const bad: string[] = [];
    for (let from = 0; from < 500; from += 100) {
      const stored = await queue.enqueueMany(Array.from({ length: 100 }, (_, a) => add.job({ a: from + a })));
      good.push(...stored.map(({ id }) => id));
      bad.push(...(await put(bodies.slice(from, from + 100))));
    }
    ran.length = 0;
    await advance(queueOn(storage, tasks, { immediate: true }), 1);
    expect(await queue.counts()).toMatchObject({ completed: 500, quarantined: 500, failed: 0, skipped: 0 });
    expect(ran.length).toBe(500);
    const jobs = await listed(queue);
    expect(new Set(jobs.map(({ id }) => id))).toEqual(new Set(bad));
    const bytesOf = new Map(bad.map((id, index) => [id, bodies[index]]));
    for (const { id, quarantine, input, attempt, failures, unreadable } of jobs) {
      expect(quarantine?.reason).toMatch(/^the job cannot be read: ./);
      expect(quarantine?.code).toMatch(/^TASKQ_/);
      expect(quarantine?.since).toBeInstanceOf(Date);
      expect(Buffer.from(quarantine?.bytes ?? []).equals(Buffer.from(bytesOf.get(id) ?? []))).toBe(true);
      expect({ input, failures, parts: unreadable.map(({ part }) => part) }).toMatchObject({ failures: 0 });
      expect(attempt).toBeLessThanOrEqual(1);
    }
    const [first] = bad;
    expect((await queue.job(first ?? ""))?.quarantine?.bytes).toEqual(jobs[0]?.quarantine?.bytes);
    expect((await queue.job(good[0] ?? ""))?.quarantine).toBeUndefined();
  }, 60_000);

  test.each([
    { field: "options.retries", fields: { options: { retries: -1 } } },
    { field: "options.timeout", fields: { options: { timeout: "soon" } } },
    { field: "options.backoff", fields: { options: { backoff: { kind: "never" } } } },
    {
      field: "options.backoff",
      fields: { options: { backoff: { kind: "linear", base: {}, step: 1, max: 1 } } },
    },
    { field: "options", fields: { options: [] } },
    { field: "headers", fields: { headers: { trace: 1 } } },
    { field: "instant", fields: { instant: "noon" } },
    { field: "version", fields: { version: 1.5 } },
    { field: "stage", fields: { stage: "toString" } },
    { field: "extra", fields: { extra: "text" } },
    { field: "keyed", fields: { keyed: 1 } },
    { field: "members", fields: { members: ["a"] } },
    { field: "guards", fields: { guards: { gates: "all", after: [] } } },
    { field: "delivery", fields: { delivery: "twice" } },
  ])("a message whose $field is not as it is written is put aside: $fields", async ({ field, fields }) => {
    const { storage, put } = make();
    const failing = task("add", async () => {
      throw new Error("it ran");
    });
    const queue = queueOn(storage, { failing }, { immediate: true });
    await queue.counts();
    const [id = ""] = await put([message({ input: { a: 1 }, ...fields })]);
    await advance(queue, 1);
    const info = await queue.job(id);
    expect(info).toMatchObject({ state: "quarantined", failures: 0, headers: {} });
    expect(info?.quarantine?.reason).toContain(`its ${field} is not as it is written`);
  });

  test("a job under a key that is not known waits in quarantine until it is released by hand, and then runs", async () => {
    const { storage } = make();
    const writer = queueOn(storage, tasks, { serializer: taggedSerializer({ b: "new" }) });
    const { id } = await writer.enqueue(add.job({ a: 7 }));
    const old = queueOn(storage, tasks, { serializer: taggedSerializer({ a: "old" }), immediate: true });
    const heard: QueueEvent<"quarantined">[] = [];
    old.on("quarantined", (event) => void heard.push(event));
    await advance(old, "30d");
    const reason =
      `the job cannot be read: task, id '${id}': the serializer 'tagged' cannot read these bytes: ` +
      "Error: written under a key that is not known";
    expect(heard).toMatchObject([{ id, error: { code: "TASKQ_QUARANTINED", message: reason } }]);
    // Not even what `old` wrote about it can be read by others, and is told as that.
    const both = queueOn(storage, tasks, {
      serializer: taggedSerializer({ b: "new", a: "old" }),
      immediate: true,
    });
    expect((await both.job(id))?.quarantine).toMatchObject({ reason, code: "TASKQ_INPUT" });
    expect((await writer.job(id))?.unreadable).toMatchObject([{ part: "error", code: "TASKQ_INPUT" }]);
    ran.length = 0;
    expect(await both.retry(id)).toBe(true);
    await advance(both, 1);
    expect(ran).toEqual([7]);
    expect(await both.job(id)).toMatchObject({ state: "completed", quarantine: undefined, unreadable: [] });
  });

  test("released without the key it is put aside again, and its flow is told of it", async () => {
    const { storage } = make();
    const reports: FailureReport[] = [];
    const alert = task("alert", async (report: FailureReport) => void reports.push(report));
    const after = task("after", async (value: unknown) => value);
    const all = { add, alert, after };
    const writer = queueOn(storage, all, { serializer: taggedSerializer({ b: "new", a: "old" }) });
    // Only the first job of the flow is under the new key.
    let key = "b";
    const choosing: Serializer = {
      ...taggedSerializer({ b: "new" }),
      encode: (value, context) =>
        taggedSerializer(context.task === "add" && key === "b" ? { b: "new" } : { a: "old" }).encode(
          value,
          context,
        ),
    };
    const mixed = queueOn(storage, all, { serializer: choosing });
    const result = await mixed.enqueue(add.job({ a: 1 }).pipe(after).onError(alert));
    key = "a";
    const old = queueOn(storage, all, { serializer: taggedSerializer({ a: "old" }), immediate: true });
    await advance(old, 1);
    const [stage] = result.stages;
    expect(await stage?.state()).toBe("quarantined");
    expect(await result.state()).toBe("skipped");
    expect(reports).toMatchObject([{ id: stage?.id, task: "add", error: { code: "TASKQ_QUARANTINED" } }]);
    await expect(old.retry(stage?.id ?? "")).rejects.toMatchObject({ code: "TASKQ_FLOW_FINISHED" });
    const { id } = await writer.enqueue(add.job({ a: 2 }));
    await advance(old, 1);
    expect(await old.retry(id)).toBe(true);
    await advance(old, 1);
    expect(await old.job(id)).toMatchObject({ state: "quarantined", failures: 0 });
  });

  test("a result that was tampered with is refused to whoever asks, and quarantines the stage that needs it", async () => {
    const { storage } = make();
    const forging: Serializer = {
      ...taggedSerializer({ a: "right" }),
      encode(value, context) {
        const key = context.purpose === "result" && context.task === "add" ? "wrong" : "right";
        return taggedSerializer({ a: key }).encode(value, context);
      },
    };
    const after = task("after", async (value: unknown) => {
      throw new Error(`it ran with ${String(value)}`);
    });
    const queue = queueOn(storage, { add, after }, { serializer: forging, immediate: true });
    const result = await queue.enqueue(add.job({ a: 1 }).pipe(after));
    const other = await queue.enqueue(add.job({ a: 2 }));
    await expect(other.wait()).rejects.toMatchObject({ code: "TASKQ_INPUT" });
    await expect(other.peek()).rejects.toMatchObject({ code: "TASKQ_INPUT" });
    expect(await other.info()).toMatchObject({
      state: "completed",
      outcome: { state: "completed", value: undefined },
      unreadable: [{ part: "result", code: "TASKQ_INPUT" }],
    });
    expect(await queue.job(result.id)).toMatchObject({
      state: "quarantined",
      quarantine: { code: "TASKQ_INPUT" },
      unreadable: [],
    });
    const all: string[] = [];
    for await (const { state } of queue.jobs()) all.push(state);
    expect(all.toSorted()).toEqual(["completed", "completed", "quarantined"]);
  });

  test("values, progress, log lines and events that cannot be read fail only those who ask for them", async () => {
    const { storage } = make();
    const noting = task("noting", async (_: undefined, { progress, log }) => {
      log.info("a line");
      await progress({ done: 1 });
      throw new Error("no more");
    });
    const writer = queueOn(
      storage,
      { noting },
      { serializer: taggedSerializer({ a: "one" }), immediate: true },
    );
    const reader = queueOn(
      storage,
      { noting },
      { serializer: taggedSerializer({ a: "two" }), immediate: true },
    );
    const events = reader.events({ from: "start" })[Symbol.asyncIterator]();
    const event = events.next();
    await writer.values.set("bad", 1);
    await writer.values.increment("counter");
    const { id } = await writer.enqueue(noting.job(undefined));
    await expect(reader.values.get("bad")).rejects.toMatchObject({ code: "TASKQ_INPUT" });
    expect(await reader.values.get("counter")).toBe(1);
    const result = reader.result(id);
    await expect(result.progress()).rejects.toMatchObject({ code: "TASKQ_INPUT" });
    expect(await result.logs()).toMatchObject([
      { level: "error", message: expect.stringMatching(/^a log line that cannot be read: /) },
    ]);
    await expect(result.wait()).rejects.toMatchObject({ code: "TASKQ_INPUT" });
    expect((await result.info())?.unreadable.map(({ part }) => part)).toEqual([
      "message",
      "progress",
      "error",
    ]);
    expect((await result.info())?.outcome).toMatchObject({ state: "failed", error: { code: "TASKQ_INPUT" } });
    expect((await event).value).toMatchObject({ id, type: "failed", error: { code: "TASKQ_INPUT" } });
    await events.return?.();
  });

  test("a stored schedule that cannot be read is listed, refused to whoever triggers it, and keeps no other from firing", async () => {
    const { storage } = make();
    const clock = virtualClock(new Date("2026-01-01T12:00:00Z"));
    const lines: string[] = [];
    const note = (fields: object | string, line?: string): void =>
      void lines.push(JSON.stringify([fields, line]));
    const logger = { debug: note, info: note, warn: note, error: note };
    const queue = queueOn(storage, tasks, { immediate: true, clock, logger });
    const put = async (name: string, rule: unknown): Promise<void> => {
      const bytes = rule instanceof Uint8Array ? rule : text.encode(JSON.stringify(rule));
      const change = { kind: "upsert", name, origin: "stored", task: "add", bytes } as const;
      await storage.schedules({ queue: "default", change, now: clock.now() });
    };
    const rule = { v: 1, schedule: { kind: "every", expression: "1m" }, overlap: "allow", misfire: "once" };
    await queue.schedules.upsert("zz", { schedule: every("1m"), job: add.job({ a: 5 }) });
    await put("a", Uint8Array.from([0xff, 0x00]));
    await put("b", { ...rule, job: { kind: "group", members: "add", mode: "all" } });
    await put("c", { ...rule, job: { kind: "__proto__" } });
    await put("d", { ...rule, job: { kind: "pipe", before: null, task: "add" } });
    await put("e", {
      ...rule,
      job: { kind: "run", task: "add" },
      schedule: { kind: "cron", expression: "x" },
    });
    await put("f", { ...rule, job: { kind: "run", task: "add" }, overlap: "maybe" });
    await put("__proto__", { ...rule, job: { kind: "run", task: "toString" } });
    ran.length = 0;
    await advance(queue, "3m");
    expect(ran).toEqual([5, 5, 5]);
    for (const name of ["a", "b", "c", "d", "f"]) {
      const error: unknown = await queue.schedules.trigger(name).catch((refused: unknown) => refused);
      expect((error as { code: string }).code).toMatch(/^TASKQ_(?:INPUT|OPTION)$/);
    }
    await expect(queue.schedules.trigger("e")).rejects.toMatchObject({ code: "TASKQ_CRON" });
    await expect(queue.schedules.trigger("__proto__")).rejects.toMatchObject({ code: "TASKQ_UNKNOWN_TASK" });
    const names: string[] = [];
    for await (const { name } of queue.schedules.list()) names.push(name);
    expect(names.length).toBe(8);
    expect(lines.filter((line) => line.includes('"schedule":"a"')).length).toBe(1);
  });

  test("an error that is too large for the serializer ends its job all the same", async () => {
    const { storage } = make();
    const failing = task("add", async () => {
      throw new Error("x".repeat(5_000));
    });
    const queue = queueOn(
      storage,
      { failing },
      { serializer: jsonSerializer({ maxSize: 300 }), immediate: true },
    );
    const result = await queue.enqueue(failing.job(undefined));
    const info = await result.info();
    const short = expect.stringMatching(/^x{100}… /) as unknown;
    expect(info).toMatchObject({
      state: "failed",
      unreadable: [],
      outcome: { error: { name: "Error", message: short } },
    });
    const tiny = queueOn(
      make().storage,
      { failing },
      { serializer: jsonSerializer({ maxSize: 30 }), immediate: true },
    );
    const small = await tiny.enqueue(failing.job(undefined));
    expect(await small.state()).toBe("failed");
  });
});

test("a body of SQLite that is no blob is put aside as any other", async () => {
  const path = join(temporaryFolder(), "jobs.db");
  const queue = createQueue({ storage: sqliteStorage({ path }), tasks, immediate: true });
  afterTest(() => queue.close());
  const stored = await queue.enqueueMany(
    Array.from({ length: 4 }, (_, a) => ({ job: add.job({ a }), delay: 1_000 })),
  );
  const file = new Database(path);
  const change = file.prepare(
    "UPDATE taskq_jobs SET body = ? WHERE key = (SELECT min(key) FROM taskq_jobs WHERE typeof(body) = 'blob')",
  );
  for (const body of ["a text", '{"v":1,"task":"add","input":{"a":1}}', 12_345, 1.5]) change.run(body);
  file.close();
  await advance(queue, 2_000);
  for (const { id } of stored) {
    const info = await queue.job(id);
    expect(info).toMatchObject({ state: "quarantined", quarantine: { code: "TASKQ_INPUT" } });
    expect(info?.quarantine?.bytes).toBeInstanceOf(Uint8Array);
  }
});
