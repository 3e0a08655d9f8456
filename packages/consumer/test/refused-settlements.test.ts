/** Settlements that a storage refuses each time it is asked, while it takes all others. */
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { faultyStorage, type FaultyStorage } from "@taskq/conformance";
import { createQueue, Fatal, fixed, JobFailedError, task, TaskqError, type Storage } from "@taskq/core";
import { metByAll, type Settlement, type StorageContract } from "@taskq/core/storage";
import { sqliteStorage } from "@taskq/sqlite";
import { describe, expect, onTestFinished, test } from "vitest";
import { createConsumer, drain } from "../src/index.js";
import { closing, serve } from "./serving.js";
import {
  Gate,
  only,
  recordEvents,
  recordingLogger,
  sleep,
  storages,
  temporaryFolder,
  until,
} from "./support.js";

function holds({ outcome }: Settlement, word: string): boolean {
  const bytes =
    outcome.kind === "completed" ? outcome.result : "error" in outcome ? outcome.error : undefined;
  return bytes !== undefined && Buffer.from(bytes).includes(word);
}

/** The storage takes no settlement with this word in what it is to keep. */
function refuseWord({ faults }: FaultyStorage, word: string): void {
  faults.breakWhen("step", ({ settled }) => settled.some((one) => holds(one, word)));
}

interface Database {
  exec(sql: string): void;
  close(): void;
}

/** Another connection to the file, closed after the test. */
function databaseAt(path: string): Database {
  const ofSqlite = createRequire(fileURLToPath(import.meta.resolve("@taskq/sqlite")));
  const Opened = ofSqlite("better-sqlite3") as new (path: string) => Database;
  const database = new Opened(path);
  onTestFinished(() => database.close());
  return database;
}

/** One is enough: it is the consumer that waits between two refusals, for seconds in all. */
const KEPT = storages.filter(([name]) => name === "SQLite");

describe.each(KEPT)("on %s", (_name, makeStorage) => {
  test("a run whose result is refused each time ends failed, and those that ended with it are settled as they ended", async () => {
    const storage = faultyStorage(await makeStorage());
    refuseWord(storage, "poison");
    const logger = recordingLogger();
    const runs: string[] = [];
    const say = task("say", async (word: string) => {
      runs.push(word);
      await sleep(5);
      return word;
    });
    const queue = closing(createQueue({ storage, tasks: { say }, logger }));
    const events = recordEvents(queue);
    const words = ["one", "poison", "two", "three", "four", "five"];
    const results = await queue.enqueueMany(words.map((word) => say.job(word)));
    await serve(queue, { workers: 3 });
    const outcomes = await Promise.all(
      results.map((result) => result.wait({ timeout: "15s" }).catch((error: unknown) => error)),
    );
    const failure = outcomes[1] as JobFailedError;
    expect(outcomes.toSpliced(1, 1)).toEqual(words.toSpliced(1, 1));
    expect(failure).toBeInstanceOf(JobFailedError);
    expect(failure).toMatchObject({ code: "TASKQ_FAILED", error: { code: "TASKQ_STORAGE" } });
    expect(failure.error.message).toContain("injected fault");
    expect(runs.toSorted()).toEqual(words.toSorted());
    expect(only(events, "failed")).toHaveLength(1);
    expect(only(events, "completed")).toHaveLength(5);
    expect(only(events, "lease-lost")).toEqual([]);
    expect(logger.lines.filter(({ level }) => level === "error")).toMatchObject([
      { fields: { task: "say", id: results[1]?.id } },
    ]);
  });

  test("a run whose result is refused is retried as its task says, and its later result counts", async () => {
    const storage = faultyStorage(await makeStorage());
    refuseWord(storage, "poison");
    const say = task("say", { retries: 1, backoff: fixed(1) }, async (_: void, { attempt }) =>
      attempt === 1 ? "poison" : "well",
    );
    const queue = closing(createQueue({ storage, tasks: { say } }));
    const events = recordEvents(queue);
    const result = await queue.enqueue(say.job());
    await serve(queue);
    expect(await result.wait({ timeout: "15s" })).toBe("well");
    expect(only(events, "retrying")).toMatchObject([{ attempt: 1, error: { code: "TASKQ_STORAGE" } }]);
  });

  test("a run whose error is refused ends failed with another one, and is not retried for that", async () => {
    const storage = faultyStorage(await makeStorage());
    refuseWord(storage, "poison");
    let runs = 0;
    const say = task("say", { retries: 3 }, async () => {
      runs += 1;
      throw new Fatal("poison");
    });
    const queue = closing(createQueue({ storage, tasks: { say } }));
    const result = await queue.enqueue(say.job());
    await serve(queue);
    await expect(result.wait({ timeout: "15s" })).rejects.toMatchObject({ error: { code: "TASKQ_STORAGE" } });
    expect(runs).toBe(1);
  });

  test("a run that is settled neither way is given up, and the others of its consumer go on", async () => {
    const storage = faultyStorage(await makeStorage());
    const logger = recordingLogger();
    const work = task("work", async (number: number) => {
      await sleep(10);
      return number;
    });
    const queue = closing(createQueue({ storage, tasks: { work }, logger }));
    const events = recordEvents(queue);
    const results = await queue.enqueueMany([0, 1, 2, 3].map((number) => work.job(number)));
    const poisoned = results[0]?.id;
    storage.faults.breakWhen("step", ({ settled }) => settled.some(({ id }) => id === poisoned));
    const consumer = await serve(queue, { workers: 2 });
    await until(() => only(events, "lease-lost").length === 1);
    expect(only(events, "lease-lost")).toMatchObject([{ id: poisoned }]);
    expect(only(events, "failed")).toEqual([]);
    await until(async () => (await queue.counts()).completed === 3);
    expect(await results[0]?.state()).toBe("active");
    await until(() => consumer.health().connected);
    expect(logger.lines.filter(({ level }) => level === "error")).toMatchObject([
      { fields: { id: poisoned } },
    ]);
  });

  test("a run that is settled neither way is given up although it was the only one, and its consumer goes on", async () => {
    const storage = faultyStorage(await makeStorage());
    const work = task("work", async (number: number) => number);
    const queue = closing(createQueue({ storage, tasks: { work } }));
    const events = recordEvents(queue);
    const first = await queue.enqueue(work.job(0));
    storage.faults.breakWhen("step", ({ settled }) => settled.some(({ id }) => id === first.id));
    const consumer = await serve(queue, { workers: 1 });
    // The first round is over, and nobody else is there who would show that it is not the storage.
    await until(() => storage.faults.met.length > 8);
    expect(only(events, "lease-lost")).toEqual([]);
    const others = await queue.enqueueMany([1, 2, 3].map((number) => work.job(number)));
    expect(await Promise.all(others.map((other) => other.wait({ timeout: "20s" })))).toEqual([1, 2, 3]);
    expect(only(events, "lease-lost")).toMatchObject([{ id: first.id }]);
    await until(() => consumer.health().connected);
  });

  test("several runs that are settled neither way are given up although there were no others, and their consumer goes on", async () => {
    const storage = faultyStorage(await makeStorage());
    const work = task("work", async (number: number) => number);
    const queue = closing(createQueue({ storage, tasks: { work } }));
    const events = recordEvents(queue);
    const poisoned = await queue.enqueueMany([0, 1].map((number) => work.job(number)));
    const ids = poisoned.map(({ id }) => id);
    storage.faults.breakWhen("step", ({ settled }) => settled.some(({ id }) => ids.includes(id)));
    await serve(queue, { workers: 2 });
    await until(() => storage.faults.met.length > 12);
    expect(only(events, "lease-lost")).toEqual([]);
    const others = await queue.enqueueMany([2, 3, 4].map((number) => work.job(number)));
    expect(await Promise.all(others.map((other) => other.wait({ timeout: "20s" })))).toEqual([2, 3, 4]);
    await until(() => only(events, "lease-lost").length === 2);
    expect(new Set(only(events, "lease-lost").map(({ id }) => id))).toEqual(new Set(ids));
  });

  test("where no run at all is settled, none is given up, and each ends as it did once they are", async () => {
    const storage = faultyStorage(await makeStorage());
    let refuses = true;
    storage.faults.breakWhen("step", ({ settled }) => refuses && settled.length > 0);
    let runs = 0;
    const work = task("work", async () => (runs += 1));
    const queue = closing(createQueue({ storage, tasks: { work } }));
    const events = recordEvents(queue);
    await queue.enqueueMany([work.job(), work.job(), work.job(), work.job()]);
    await serve(queue, { workers: 1, prefetch: 0 });
    // Five refusals of a step that claims the second job, and four of each run; then one job more was claimed to find out: no others.
    await until(() => storage.faults.met.length > 18, 28_000);
    expect(runs).toBe(3);
    expect(await queue.counts()).toMatchObject({ active: 3, ready: 1 });
    refuses = false;
    await until(async () => (await queue.counts()).ready + (await queue.counts()).active === 0);
    const { completed, failed } = await queue.counts();
    // The one that was just asked about as a failed attempt is one.
    expect([completed, failed]).toEqual(completed === 4 ? [4, 0] : [3, 1]);
    expect(runs).toBe(4);
    expect(only(events, "lease-lost")).toEqual([]);
  });

  test.each([6, 7, 9, 10])(
    "a storage that takes runs again after %i refusals, be it between two of them, is given all",
    async (refusals) => {
      const storage = faultyStorage(await makeStorage());
      const { faults } = storage;
      faults.breakWhen("step", ({ settled }) => settled.length > 0 && faults.met.length < refusals);
      const work = task("work", async () => sleep(30));
      const queue = closing(createQueue({ storage, tasks: { work } }));
      const events = recordEvents(queue);
      await queue.enqueueMany([work.job(), work.job(), work.job()]);
      await serve(queue, { workers: 3 });
      await until(() => only(events, "completed").length + only(events, "failed").length === 3);
      expect(faults.met).toHaveLength(refusals);
      expect(only(events, "lease-lost")).toEqual([]);
      expect(only(events, "failed").length).toBe(refusals === 7 ? 1 : 0);
    },
  );

  test("what whatever is asked of the storage would meet is waited for", async () => {
    const storage = (await makeStorage()) as Storage & StorageContract;
    const step = storage.step.bind(storage);
    let refusals = 0;
    storage.step = async (request) => {
      if (request.settled.length === 0 || refusals === 7) return step(request);
      refusals += 1;
      throw metByAll(new TaskqError("TASKQ_STORAGE", "no room"));
    };
    const work = task("work", async () => 1);
    const queue = closing(createQueue({ storage, tasks: { work } }));
    const result = await queue.enqueue(work.job());
    await serve(queue);
    expect(await result.wait({ timeout: "25s" })).toBe(1);
    expect(refusals).toBe(7);
  });

  test("a consumer that stops settles those that can be", async () => {
    const storage = faultyStorage(await makeStorage());
    refuseWord(storage, "poison");
    const say = task("say", async (word: string) => {
      await sleep(50);
      return word;
    });
    const queue = closing(createQueue({ storage, tasks: { say } }));
    const results = await queue.enqueueMany(["poison", "one"].map((word) => say.job(word)));
    const consumer = createConsumer(queue, { workers: 2 });
    await consumer.start();
    await until(() => consumer.health().busy === 2);
    await consumer.stop();
    expect(await Promise.all(results.map((result) => result.state()))).toEqual(["failed", "completed"]);
  });

  test("drain settles as failed what is refused, and goes on", async () => {
    const storage = faultyStorage(await makeStorage());
    refuseWord(storage, "poison");
    const say = task("say", async (word: string) => word);
    const queue = closing(createQueue({ storage, tasks: { say } }));
    const [poisoned, ...others] = await queue.enqueueMany(
      ["poison", "one", "two"].map((word) => say.job(word)),
    );
    expect(await drain(queue)).toMatchObject({ completed: 2, failed: 1 });
    expect(await poisoned?.peek()).toMatchObject({ state: "failed", error: { code: "TASKQ_STORAGE" } });
    expect(await Promise.all(others.map((result) => result.wait()))).toEqual(["one", "two"]);
  });
});

test("a consumer goes on though it has lost the run that was to show whether the storage takes any", async () => {
  const path = join(await temporaryFolder(), "jobs.db");
  const storage = faultyStorage(sqliteStorage({ path }));
  const [begun, hang] = [new Gate(), new Gate()];
  const work = task("work", async (number: number) => {
    if (number !== 1) return number;
    begun.open();
    await hang.opened;
    return number;
  });
  const queue = closing(createQueue({ storage, tasks: { work } }));
  const events = recordEvents(queue);
  const first = await queue.enqueue(work.job(0));
  storage.faults.breakWhen("step", ({ settled }) => settled.some(({ id }) => id === first.id));
  await serve(queue, { workers: 2, lease: "1s" });
  await until(() => storage.faults.met.length > 8);
  const second = await queue.enqueue(work.job(1));
  await begun.opened;
  // As if its lease had run out, and somebody else had the job.
  databaseAt(path).exec(
    "UPDATE taskq_jobs SET fence = fence + 1 WHERE state = 4 AND fence = (SELECT max(fence) FROM taskq_jobs)",
  );
  await until(() => only(events, "lease-lost").length === 1);
  expect(only(events, "lease-lost")).toMatchObject([{ id: second.id }]);
  const others = await queue.enqueueMany([2, 3].map((number) => work.job(number)));
  expect(await Promise.all(others.map((other) => other.wait({ timeout: "15s" })))).toEqual([2, 3]);
  hang.open();
});

test("a run that somebody else has by now tells nothing of whether the storage takes any", async () => {
  const path = join(await temporaryFolder(), "jobs.db");
  const storage = faultyStorage(sqliteStorage({ path }));
  let [isLost, refuses] = [false, true];
  const work = task("work", async (number: number) => number);
  const logger = recordingLogger();
  const queue = closing(createQueue({ storage, tasks: { work }, logger }));
  const events = recordEvents(queue);
  const [first, second] = await queue.enqueueMany([1, 2].map((number) => work.job(number)));
  storage.faults.breakWhen(
    "step",
    ({ settled }) =>
      refuses && settled.length > 0 && !(isLost && settled.every(({ id }) => id === second?.id)),
  );
  await serve(queue, { workers: 2 });
  await until(() => storage.faults.met.length > 0);
  databaseAt(path).exec(
    "UPDATE taskq_jobs SET fence = fence + 1 WHERE key = (SELECT max(key) FROM taskq_jobs)",
  );
  isLost = true;
  await until(() => only(events, "lease-lost").length > 0);
  const refused = storage.faults.met.length;
  await until(() => storage.faults.met.length > refused + 5);
  expect(only(events, "lease-lost")).toMatchObject([{ id: second?.id }]);
  refuses = false;
  await until(async () => (await first?.state()) !== "active");
  expect(only(events, "completed").length + only(events, "failed").length).toBe(1);
  expect(logger.lines.filter(({ message }) => message?.includes("given up"))).toEqual([]);
});

test("what has ended is settled though the storage refuses each claim", async () => {
  const path = join(await temporaryFolder(), "jobs.db");
  const [begun, finish] = [new Gate(), new Gate()];
  const work = task("work", async () => {
    begun.open();
    await finish.opened;
    return "done";
  });
  const queue = closing(createQueue({ storage: sqliteStorage({ path }), tasks: { work } }));
  const result = await queue.enqueue(work.job());
  const consumer = await serve(queue, { workers: 2 });
  await begun.opened;
  const database = databaseAt(path);
  database.exec(
    "CREATE TRIGGER no_claims BEFORE UPDATE OF state ON taskq_jobs WHEN NEW.state = 4 BEGIN SELECT RAISE(ABORT, 'no claims'); END",
  );
  await queue.enqueue(work.job());
  await until(() => !consumer.health().connected);
  finish.open();
  expect(await result.wait({ timeout: "25s" })).toBe("done");
  database.exec("DROP TRIGGER no_claims");
  await until(async () => (await queue.counts()).completed === 2);
});

test("a run that a trigger of the SQLite file refuses ends failed, and says why", async () => {
  const path = join(await temporaryFolder(), "jobs.db");
  const say = task("say", async (word: string) => word);
  const queue = closing(createQueue({ storage: sqliteStorage({ path }), tasks: { say } }));
  const results = await queue.enqueueMany(["one", "poison", "two"].map((word) => say.job(word)));
  const database = databaseAt(path);
  database.exec(
    "CREATE TRIGGER no_poison BEFORE UPDATE OF result ON taskq_jobs WHEN instr(CAST(NEW.result AS TEXT), '\"poison\"') > 0 " +
      "BEGIN SELECT RAISE(ABORT, 'not this word'); END",
  );
  await serve(queue);
  expect(await results[0]?.wait({ timeout: "15s" })).toBe("one");
  expect(await results[2]?.wait({ timeout: "15s" })).toBe("two");
  await expect(results[1]?.wait({ timeout: "15s" })).rejects.toMatchObject({
    error: { code: "TASKQ_STORAGE", message: expect.stringContaining("not this word") },
  });
});
