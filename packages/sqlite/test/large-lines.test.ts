/** What a line lets go takes no longer for those who wait behind. */
import { join } from "node:path";
import type { NewJob, Settlement } from "@taskq/core/storage";
import { expect, test } from "vitest";
import { completed, flow, openStorage, QUEUE, temporaryFolder } from "./support.ts";

// Sorting the line with each of them would take far longer than a test may.
test("each of 2,500 jobs lets the next one go, of 20,000 behind one unique key", async () => {
  const storage = await openStorage({ path: join(temporaryFolder(), "jobs.db") });
  const unique = { key: "one", until: "final", onConflict: "ignore" } as const;
  const jobs = Array.from({ length: 20_000 }, (): NewJob => flow({ unique }).jobs[0] as NewJob);
  const { end } = flow();
  const members = jobs.map(({ id }) => id);
  await storage.enqueue({ queue: QUEUE, flows: [{ end, jobs, joins: [{ id: end, mode: "all", members }] }] });
  const ran: string[] = [];
  let settled: readonly Settlement[] = [];
  for (let request = 1; request <= 2_500; request += 1) {
    const { claimed } = await storage.step({
      queue: QUEUE,
      owner: "owner",
      request,
      tasks: ["work"],
      settled,
      begun: [],
      claim: { begin: 5, ahead: 0, lease: 30_000 },
    });
    ran.push(...claimed.map(({ id }) => id));
    settled = claimed.map(completed);
  }
  expect(ran).toEqual(members.slice(0, 2_500));
});
