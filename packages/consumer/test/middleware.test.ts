import { createQueue, task, type Middleware, type Queue } from "@taskq/core";
import { describe, expect, onTestFinished, test } from "vitest";
import { createConsumer } from "../src/index.js";
import { Gate, storages, type StorageMaker } from "./support.js";

/** A queue with one task, whose handler ends when the test lets it. */
async function setUp(makeStorage: StorageMaker) {
  const [begun, gate] = [new Gate(), new Gate()];
  const ends: string[] = [];
  const work = task("work", async (how: "answers" | "fails") => {
    begun.open();
    await gate.opened;
    ends.push(how);
    if (how === "fails") throw new Error("the handler fails");
    return 7;
  });
  const queue = createQueue({ storage: await makeStorage(), tasks: { work } });
  const consumer = createConsumer(queue, { workers: 1 });
  onTestFinished(async () => {
    gate.open();
    await consumer.stop();
    await queue.close();
  });
  await consumer.start();
  return { queue, consumer, work, begun, gate, ends };
}

const unheard: Middleware = { run: (_context, next) => void next() };
const overtaken: Middleware = {
  run: (_context, next) => Promise.race([next(), Promise.resolve("another answer")]),
};
const throwing: Middleware = {
  run(_context, next) {
    void next();
    throw new Error("the layer fails");
  },
};
const TOO_EARLY = /a middleware called next\(\) and did not wait for it/;

describe.each(storages)("run middleware on %s", (_, makeStorage) => {
  test.each([
    { layer: "does not wait for next", middleware: unheard, how: "answers", told: TOO_EARLY },
    { layer: "does not wait for next", middleware: unheard, how: "fails", told: /the handler fails/ },
    { layer: "answers before next does", middleware: overtaken, how: "answers", told: TOO_EARLY },
    { layer: "answers before next does", middleware: overtaken, how: "fails", told: /the handler fails/ },
    { layer: "throws before next answers", middleware: throwing, how: "answers", told: /the layer fails/ },
    { layer: "throws before next answers", middleware: throwing, how: "fails", told: /the layer fails/ },
  ] as const)(
    "where a layer $layer, the run ends failed, once a handler that $how has ended",
    async ({ middleware, how, told }) => {
      const { queue, consumer, work, begun, gate, ends } = await setUp(makeStorage);
      queue.use(middleware);
      const result = await queue.enqueue(work.job(how));
      await begun.opened;
      // A round trip: time enough for a run that were over to be settled.
      expect(await result.state()).toBe("active");
      expect(await result.state()).toBe("active");
      expect(consumer.health().busy).toBe(1);
      gate.open();
      await expect(result.wait({ timeout: "10s" })).rejects.toThrow(told);
      expect(ends).toEqual([how]);
    },
  );

  test("next that is called after its layer has answered rejects, though the run goes on, and no handler runs", async () => {
    const { queue, work, gate, ends } = await setUp(makeStorage);
    const late = new Gate();
    const told: unknown[] = [];
    gate.open();
    queue.use({
      async run(_context, next) {
        const output = await next();
        await late.opened;
        return output;
      },
    });
    queue.use({
      run(_context, next) {
        setImmediate(() => {
          void next()
            .catch((error: unknown) => told.push(error))
            .finally(late.open);
        });
        return "instead";
      },
    });
    const result = await queue.enqueue(work.job("answers"));
    expect(await result.wait({ timeout: "10s" })).toBe("instead");
    expect(told).toEqual([
      expect.objectContaining({
        code: "TASKQ_OPTION",
        message: expect.stringContaining("after it had answered"),
      }),
    ]);
    expect(ends).toEqual([]);
  });
});

const tick = async (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const hasty: NonNullable<Middleware["enqueue"]> = (job, next) => void next(job);
const refusing = async (): Promise<void> => {
  await tick();
  throw new Error("refused within");
};

/** What is stored of a job that goes through these layers. */
async function enqueued(makeStorage: StorageMaker, ...layers: NonNullable<Middleware["enqueue"]>[]) {
  const work = task("work", async () => 7);
  const queue: Queue<"work"> = createQueue({ storage: await makeStorage(), tasks: { work } });
  onTestFinished(() => queue.close());
  for (const enqueue of layers) queue.use({ enqueue });
  const result = await queue.enqueue(work.job());
  return result.info();
}

describe.each(storages)("enqueue middleware on %s", (_, makeStorage) => {
  test("a layer that calls next twice is told so, and nothing is stored", async () => {
    const seen: string[] = [];
    for (const twice of [
      (job, next) => void (next(job), next({ ...job, headers: { second: "1" } })),
      async (job, next) => {
        await next(job);
        await next(job);
      },
    ] satisfies NonNullable<Middleware["enqueue"]>[]) {
      const within = (job: Parameters<typeof twice>[0], next: Parameters<typeof twice>[1]) => (
        seen.push(job.id),
        next(job)
      );
      await expect(enqueued(makeStorage, twice, within)).rejects.toMatchObject({
        code: "TASKQ_OPTION",
        message: expect.stringContaining("called next() twice"),
      });
    }
    expect(seen).toHaveLength(2);
  });

  test("what is within a layer that does not wait for it is waited for", async () => {
    const info = await enqueued(makeStorage, hasty, async (job, next) => {
      await tick();
      await next({ ...job, headers: { from: "within" } });
    });
    expect(info?.headers).toEqual({ from: "within" });
    await expect(enqueued(makeStorage, hasty, refusing)).rejects.toThrow("refused within");
  });

  test("next that is called after its layer has answered rejects, and changes nothing", async () => {
    const told: unknown[] = [];
    const late: NonNullable<Middleware["enqueue"]> = (job, next) => {
      setImmediate(() => void Promise.resolve(next(job)).catch((error: unknown) => told.push(error)));
    };
    await expect(enqueued(makeStorage, late)).rejects.toThrow("a middleware dropped the job");
    await expect.poll(() => told).toEqual([expect.objectContaining({ code: "TASKQ_OPTION" })]);
  });

  test("a layer that is disposed of while another one is waited for leaves the others their jobs", async () => {
    const work = task("work", async () => 7);
    const queue = createQueue({ storage: await makeStorage(), tasks: { work } });
    onTestFinished(() => queue.close());
    const first = queue.use({
      async enqueue(job, next) {
        first[Symbol.dispose]();
        await next(job);
      },
    });
    queue.use({ enqueue: (job, next) => next({ ...job, headers: { second: "1" } }) });
    queue.use({ enqueue: (job, next) => next({ ...job, headers: { ...job.headers, third: "1" } }) });
    const info = await (await queue.enqueue(work.job())).info();
    expect(info?.headers).toEqual({ second: "1", third: "1" });
  });
});
