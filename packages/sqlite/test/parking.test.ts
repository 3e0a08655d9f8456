/** Jobs that wait for somebody who knows their task, more of them than are let go in one step. */
import { CONSEQUENCES_PER_STEP } from "@taskq/core/storage";
import { expect, test } from "vitest";
import { flow, openStorage, QUEUE, temporaryFolder } from "./support.js";

const NOW = 1_800_000_000_000;

test("the most urgent of them go first, and the others after them", async () => {
  const storage = await openStorage({ path: `${temporaryFolder()}/jobs.db` });
  const jobs = Array.from({ length: CONSEQUENCES_PER_STEP + 1 }, (_, place) =>
    flow({ due: NOW, priority: place === CONSEQUENCES_PER_STEP ? 1 : 0 }),
  );
  await storage.enqueue({ queue: QUEUE, flows: jobs, now: NOW });
  let request = 0;
  const claim = (task: string, begin: number) =>
    storage.step({
      queue: QUEUE,
      owner: "owner",
      request: (request += 1),
      tasks: [task],
      settled: [],
      begun: [],
      claim: { begin, ahead: 0, lease: 30_000 },
      now: NOW,
    });
  const parked = async () => (await storage.counts({ queue: QUEUE, now: NOW }))["*"]?.parked;
  for (let turn = 0; turn < 20 && (await parked()) !== jobs.length; turn += 1) await claim("other", 100);
  expect(await parked()).toBe(jobs.length);
  const { claimed } = await claim("work", 1);
  expect(claimed.map(({ id }) => id)).toEqual([jobs.at(-1)?.end]);
  expect(await parked()).toBe(1);
  await claim("work", 1);
  expect(await parked()).toBe(0);
});
