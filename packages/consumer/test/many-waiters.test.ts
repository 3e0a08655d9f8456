import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { createQueue, task } from "@taskq/core";
import { engineOf } from "@taskq/core/engine";
import { memoryStorage } from "@taskq/memory";
import { expect, test, vi } from "vitest";
import { closing } from "./serving.js";
import { sleep, until } from "./support.js";

const WAITERS = 12_000;

test("thousands who wait for a result are looked at in turns when nothing is heard", async () => {
  const work = task("work", async () => {});
  const queue = closing(createQueue({ storage: memoryStorage(), tasks: { work } }));
  const jobs = Array.from({ length: WAITERS }, () => ({ job: work.job(), delay: "1h" }) as const);
  const read = vi.spyOn(engineOf(queue).storage, "read");
  const results = await queue.enqueueMany(jobs);
  const waits = Promise.allSettled(results.map((result) => result.wait()));
  const looks = (): readonly string[] => read.mock.calls.flatMap(([{ ids }]) => ids);
  await until(() => new Set(looks()).size === WAITERS);
  await sleep(100);
  read.mockClear();
  await until(() => looks().length > 0);
  // Long before the next look, which comes after two seconds.
  await sleep(200);
  expect(looks().length).toBeLessThanOrEqual(5_000);
  await until(() => new Set(looks()).size === WAITERS);
  await queue.close();
  await waits;
});

test("who waited for long leaves nothing behind, however many wait for a moment later", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const work = task("work", async () => {});
  const queue = closing(createQueue({ storage: memoryStorage(), tasks: { work } }));
  const result = await queue.enqueue(work.job(), { delay: "1h" });
  // Longer than two looks for safety are apart.
  await expect(result.wait({ timeout: "2500ms" })).rejects.toMatchObject({ code: "TASKQ_WAIT_TIMEOUT" });
  const held: number[] = [];
  for (let wait = 0; wait <= 160_000; wait += 1) {
    const leaving = new AbortController();
    const waiting = result.wait({ signal: leaving.signal }).catch(() => {});
    leaving.abort();
    await waiting;
    if (wait % 80_000 !== 0 || wait === 0) continue;
    collect();
    held.push(process.memoryUsage().heapUsed);
  }
  const [before = 0, after = 0] = held;
  expect(held).toHaveLength(2);
  expect(after - before).toBeLessThan(4_000_000);
});
