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
