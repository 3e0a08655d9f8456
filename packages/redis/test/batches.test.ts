/** Many jobs at once: several batches are under way, each whole or not at all. */
import { createQueue, task, type Job, type Middleware, type Queue, type Storage } from "@taskq/core";
import { TaskqError, type EnqueueRequest } from "@taskq/core/storage";
import { describe, expect, test } from "vitest";
import { BATCH } from "../src/tick-batch.js";
import { serverBinary } from "./servers/binary.js";
import { serverOfTest } from "./support/callers.js";
import { afterTest } from "./support/closing.js";
import { connect, newPrefix } from "./support/store.js";

const add = task("add", async ({ a }: { a: number }) => a);
const text = task("text", async (value: string) => value.length);

interface Watched {
  readonly queue: Queue<"add" | "text">;
  /** How many flows each call had, in the order in which they were made. */
  readonly sizes: number[];
  /** How many calls are under way. */
  underWay: number;
}

/** A queue whose storage tells of its calls. @param before what happens before the call of this number is made */
async function watched(
  before: (call: number) => Promise<void> | void = () => {},
  settings: readonly string[] = [],
): Promise<Watched> {
  const storage = connect(await serverOfTest({ arguments: settings }), newPrefix());
  const told = { sizes: [] as number[], underWay: 0 };
  const watching = new Proxy(storage, {
    get(target, property) {
      const value = Reflect.get(target, property, target) as unknown;
      if (property !== "enqueue") return typeof value === "function" ? value.bind(target) : value;
      return async (request: EnqueueRequest) => {
        told.sizes.push(request.flows.length);
        told.underWay += 1;
        try {
          await before(told.sizes.length);
          return await target.enqueue(request);
        } finally {
          told.underWay -= 1;
        }
      };
    },
  });
  const queue = createQueue({ storage: watching as unknown as Storage, tasks: { add, text } });
  afterTest(() => queue.close());
  await queue.counts();
  return Object.assign(told, { queue });
}

type AddJob = Job<number, "add">;
const entries = (count: number): AddJob[] => Array.from({ length: count }, (_, a) => add.job({ a }));

describe.skipIf(serverBinary() === undefined)("many jobs at once", () => {
  test("several batches are under way at the same time; results and jobs come in the order given", async () => {
    let release: (() => void) | undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const told = await watched(() => held);
    const storing = told.queue.enqueueMany(entries(1_000));
    await expect.poll(() => told.underWay).toBe(8);
    release?.();
    const results = await storing;
    expect(told.sizes).toEqual([...Array<number>(7).fill(BATCH), 1_000 - 7 * BATCH]);
    const ids: string[] = [];
    for await (const { id } of told.queue.jobs()) ids.push(id);
    expect(results.map(({ id }) => id)).toEqual(ids);
    expect(await told.queue.counts()).toMatchObject({ ready: 1_000 });
  });

  test("of large jobs fewer go together, and no more than some 2 MB are under way", async () => {
    let release: (() => void) | undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const told = await watched((call) => (call === 1 ? undefined : held));
    const large = Array.from({ length: 40 }, () => text.job("x".repeat(500_000)));
    const storing = told.queue.enqueueMany([...entries(20), ...large]);
    await expect.poll(() => told.underWay).toBe(2);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect([told.sizes, told.underWay]).toEqual([[23, 3, 3], 2]);
    release?.();
    const results = await storing;
    expect(told.sizes).toEqual([23, ...Array<number>(12).fill(3), 1]);
    const ids: string[] = [];
    for await (const { id } of told.queue.jobs()) ids.push(id);
    expect(results.map(({ id }) => id)).toEqual(ids);
  });

  test("over a slow network, of large jobs one batch is under way at a time", async () => {
    let most = 0;
    const told = await watched(async () => {
      most = Math.max(most, told.underWay);
      await new Promise((resolve) => setTimeout(resolve, 550));
    });
    await told.queue.enqueueMany(Array.from({ length: 9 }, () => text.job("x".repeat(500_000))));
    expect([told.sizes, most]).toEqual([[3, 3, 3], 1]);
  });

  test("many large jobs are stored also where a server takes no large calls", async () => {
    const { queue } = await watched(undefined, ["--proto-max-bulk-len", "4mb"]);
    await queue.enqueueMany(Array.from({ length: 20 }, () => text.job("x".repeat(500_000))));
    expect(await queue.counts()).toMatchObject({ ready: 20 });
  });

  test("an iterable is read no further than some 1,000 jobs beyond those that are stored", async () => {
    let release: (() => void) | undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const told = await watched(() => held);
    let read = 0;
    async function* jobs(): AsyncGenerator<AddJob> {
      for (const entry of entries(3_000)) {
        read += 1;
        yield entry;
      }
    }
    const storing = told.queue.enqueueMany(jobs());
    await expect.poll(() => told.underWay).toBe(8);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect([read, told.underWay]).toEqual([8 * BATCH, 8]);
    release?.();
    expect(await storing).toHaveLength(3_000);
    expect(await told.queue.counts()).toMatchObject({ ready: 3_000 });
  });

  test("a batch that is refused rejects once the others are stored or refused too, and none is there in part", async () => {
    const told = await watched(async (call) => {
      if (call === 3) throw new TaskqError("TASKQ_STORAGE", "the third one is refused");
      if (call > 3) await new Promise((resolve) => setTimeout(resolve, 50));
      if (call === 5) throw new TaskqError("TASKQ_STORAGE", "so is the fifth one");
    });
    await expect(told.queue.enqueueMany(entries(1_000))).rejects.toThrow("the third one is refused");
    expect(told.underWay).toBe(0);
    expect(await told.queue.counts()).toMatchObject({ ready: 1_000 - 2 * BATCH });
  });

  test("what cannot be stored ends it: batches before it are stored, its own is not, and no more is read", async () => {
    const told = await watched();
    let read = 0;
    function* jobs(): Generator<AddJob> {
      for (const entry of entries(1_000)) {
        read += 1;
        yield read === 2 * BATCH + 7 ? add.job({ a: () => {} } as never) : entry;
      }
    }
    await expect(told.queue.enqueueMany(jobs())).rejects.toMatchObject({ code: "TASKQ_INPUT" });
    expect(told.underWay).toBe(0);
    expect(read).toBe(3 * BATCH);
    expect(await told.queue.counts()).toMatchObject({ ready: 2 * BATCH });
  });

  test("middleware sees one job after the other, also where it takes its time", async () => {
    let [inside, most] = [0, 0];
    const seen: unknown[] = [];
    const enqueue: NonNullable<Middleware["enqueue"]> = async (draft, next) => {
      inside += 1;
      most = Math.max(most, inside);
      seen.push(draft.input);
      await Promise.resolve();
      await next(draft);
      inside -= 1;
    };
    const told = await watched();
    told.queue.use({ enqueue });
    await told.queue.enqueueMany(entries(300));
    expect(most).toBe(1);
    expect(seen).toEqual(Array.from({ length: 300 }, (_, a) => ({ a })));
  });

  test("in immediate mode the jobs run one after the other", async () => {
    let [inside, most] = [0, 0];
    const slow = task("slow", async (a: number) => {
      inside += 1;
      most = Math.max(most, inside);
      await new Promise((resolve) => setImmediate(resolve));
      inside -= 1;
      return a;
    });
    const storage = connect(await serverOfTest(), newPrefix()) as unknown as Storage;
    const queue = createQueue({ storage, tasks: { slow }, immediate: true });
    afterTest(() => queue.close());
    const jobs = Array.from({ length: BATCH + 40 }, (_, a) => slow.job(a));
    const results = await queue.enqueueMany(jobs);
    expect(most).toBe(1);
    expect(await results.at(-1)?.peek()).toEqual({ state: "completed", value: BATCH + 39 });
  });

  test("an id that an earlier batch of the same call has taken is found there", async () => {
    const told = await watched();
    const twice = entries(BATCH * 2).map((job, place) =>
      place === 5 || place === BATCH + 5 ? { job, id: "one" } : job,
    );
    const results = await told.queue.enqueueMany(twice);
    expect([results[5]?.existing, results[BATCH + 5]?.existing]).toEqual([false, true]);
    expect(await told.queue.counts()).toMatchObject({ ready: BATCH * 2 - 1 });
  });
});
