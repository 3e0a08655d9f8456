import {
  createQueue,
  Fatal,
  group,
  task,
  type Counts,
  type Queue,
  type Storage,
  type TaskqError,
} from "@taskq/core";
import { createConsumer } from "@taskq/consumer";
import { memoryStorage } from "@taskq/memory";
import { redisStorage } from "@taskq/redis";
import { serverBinary, startRedisServer, type RedisServer } from "@taskq/redis-servers";
import { sqliteStorage } from "@taskq/sqlite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { signedSerializer, type SigningKey } from "@taskq/signed-serializer";
import { afterTest, temporaryFile } from "./closing.ts";

const OLD: SigningKey = { id: "2025", secret: "the secret of last year, of more than 32 bytes" };
const NEW: SigningKey = { id: "2026", secret: "the secret of this year, of more than 32 bytes" };
const nameSecret = "the secret of names, which stays, over 32 bytes";

const add = task("add", async ({ a, b }: { a: number; b: number }) => {
  await new Promise((resolve) => setTimeout(resolve, 2));
  return a + b;
});
const double = task("double", async (n: number) => 2 * n);
const sum = task("sum", async (numbers: readonly number[]) => numbers.reduce((total, one) => total + one, 0));
const once = task("once", { unique: { key: ({ n }: { n: number }) => `once ${n}` } }, async ({ n }) => n);
const tasks = { add, double, sum, once };

let redis: RedisServer | undefined;
beforeAll(async () => {
  if (serverBinary() !== undefined) redis = await startRedisServer();
}, 30_000);
afterAll(() => redis?.stop());

const storages: readonly { readonly name: string; readonly make: () => () => Storage }[] = [
  {
    name: "memory",
    make: () => {
      const storage = memoryStorage();
      return () => storage;
    },
  },
  {
    name: "SQLite",
    make: () => {
      const path = temporaryFile("jobs.db");
      return () => sqliteStorage({ path });
    },
  },
  {
    name: "Redis",
    make: () => {
      const keyPrefix = `rotation-${Math.random().toString(36).slice(2)}`;
      return () => redisStorage({ url: redis!.url, keyPrefix });
    },
  },
];

describe.each(storages)("rotation on $name", ({ name, make }) => {
  const isHere = name !== "Redis" || serverBinary() !== undefined;
  test.skipIf(!isHere).each([false, true])(
    "from old to both to new keys with messages in flight loses and quarantines none (encrypted: %s)",
    async (encrypt) => {
      const storageOf = make();
      const queueWith = (keys: readonly SigningKey[]) => {
        const serializer = signedSerializer({ keys, encrypt, ...(encrypt ? { nameSecret } : {}) });
        const queue = createQueue({ storage: storageOf(), tasks, serializer });
        afterTest(() => queue.close());
        return queue;
      };
      // A deployment goes from process to process: each phase has two that differ by one step.
      const phases = [
        [[OLD]],
        [[OLD], [OLD, NEW]],
        [
          [OLD, NEW],
          [NEW, OLD],
        ],
        [[NEW, OLD]],
      ];
      const expected = new Map<string, unknown>();
      let firstDone: string | undefined;
      for (const [phase, configurations] of phases.entries()) {
        const queues = configurations.map(queueWith);
        for (const [index, queue] of queues.entries()) {
          for (let n = 0; n < 6; n += 1) {
            const chain = await queue.enqueue(add.job({ a: n, b: phase }).pipe(double));
            expected.set(chain.id, 2 * (n + phase));
            firstDone ??= chain.stages[0]!.id;
            const chord = await queue.enqueue(group([add.job({ a: n, b: 1 }), double.job(n)]).pipe(sum));
            expected.set(chord.id, 3 * n + 1);
          }
          const delayed = await queue.enqueue(double.job(index), { delay: 400 });
          expected.set(delayed.id, 2 * index);
          await queue.values.set(`value ${phase} ${index}`, { phase });
        }
        // Both say the same of what is unique.
        const [first] = queues;
        const last = queues.at(-1)!;
        const unique = await first!.enqueue(once.job({ n: phase }), { delay: "1h" });
        expect((await last.enqueue(once.job({ n: phase }), { delay: "1h" })).id).toBe(unique.id);
        // The first stages are done now, by whoever comes; what follows waits for the phases to come.
        await first!.pause(double);
        for (const queue of queues) {
          await work(queue, (done, counts) => done >= 5 || counts.ready + counts.active === 0);
        }
        const { ready, blocked, parked } = await first!.counts();
        expect(ready + blocked + parked).toBeGreaterThanOrEqual(12);
      }
      const both = queueWith([NEW, OLD]);
      await both.resume(double);
      await work(both, (_, { ready, blocked, active, scheduled, parked }) => {
        return ready + blocked + active + parked === 0 && scheduled === phases.length;
      });
      expect(await both.counts()).toMatchObject({ quarantined: 0, failed: 0, skipped: 0 });
      for (const [id, value] of expected) expect(await both.result(id).wait()).toBe(value);
      // Values of old are set again before the old key goes.
      for (const [phase, configurations] of phases.entries()) {
        for (const index of configurations.keys()) {
          const key = `value ${phase} ${index}`;
          const value = await both.values.get(key);
          expect(value).toEqual({ phase });
          await both.values.set(key, value);
        }
      }
      const after = queueWith([NEW]);
      expect(await after.values.get("value 0 0")).toEqual({ phase: 0 });
      const result = await after.enqueue(add.job({ a: 2, b: 3 }).pipe(double));
      await work(after, (done) => done >= 2);
      expect(await after.result(result.id).wait({ timeout: "5s" })).toBe(10);
      const gone = await after
        .result(firstDone!)
        .wait()
        .catch((error: TaskqError) => error);
      expect(gone).toMatchObject({ code: "TASKQ_SIGNATURE" });
    },
    30_000,
  );
});

describe.each(storages)("groups on $name", ({ name, make }) => {
  const isHere = name !== "Redis" || serverBinary() !== undefined;
  const fails = task("fails", async (): Promise<number> => {
    throw new Fatal("for good");
  });
  const adds = task("adds", async (_: number, { enqueue }) => {
    await enqueue(fails.job(), { join: true });
    return 1;
  });
  const same = task("same", async (input: readonly unknown[]) => input);
  const all = { ...tasks, fails, adds, same };

  test.skipIf(!isHere)(
    "a stage gets what its bytes say: groups within groups, and the job that failed for the member that added it",
    async () => {
      const serializer = signedSerializer({ keys: [NEW] });
      const queue = createQueue({ storage: make()(), tasks: all, serializer });
      afterTest(() => queue.close());
      const within = group([double.job(1), double.job(2)]);
      const nested = await queue.enqueue(group([within, double.job(3), group([])]).pipe(same));
      const parts = group([adds.job(1), fails.job()], { mode: "settled" });
      const settled = await queue.enqueue(
        group([parts, adds.job(2), double.job(5)], { mode: "settled" }).pipe(same),
      );
      const consumer = createConsumer(queue, { workers: 2 });
      await consumer.start();
      expect(await nested.wait({ timeout: "5s" })).toEqual([[2, 4], 6, []]);
      const failed = { state: "failed", error: { message: "for good" } };
      expect(await settled.wait({ timeout: "5s" })).toMatchObject([
        { state: "completed", value: [failed, failed] },
        failed,
        { state: "completed", value: 10 },
      ]);
      await consumer.stop();
      expect(await queue.counts()).toMatchObject({ quarantined: 0 });
    },
  );
});

/** A consumer until enough is done. */
async function work(queue: Queue, isEnough: (done: number, counts: Counts) => boolean): Promise<void> {
  let done = 0;
  using _ = queue.on("completed", () => void (done += 1));
  const consumer = createConsumer(queue, { workers: 2, grace: "5s" });
  await consumer.start();
  while (!isEnough(done, await queue.counts())) await new Promise((resolve) => setTimeout(resolve, 5));
  await consumer.stop();
}
