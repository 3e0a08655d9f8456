/** What is done with a large group takes a time that grows as it does. */
import { join } from "node:path";
import type { NewJob } from "@taskq/core/storage";
import { expect, test } from "vitest";
import { flow, openStorage, QUEUE, temporaryFolder } from "./support.ts";

// Counting them all with each member would take far longer than a test may.
test("a group of 20,000 members with unique keys is stored", async () => {
  const storage = await openStorage({ path: join(temporaryFolder(), "jobs.db") });
  const jobs = Array.from({ length: 20_000 }, (_, index): NewJob => {
    const unique = { key: `key ${index}`, until: "final", onConflict: "replace" } as const;
    return flow({ unique }).jobs[0] as NewJob;
  });
  const { end } = flow();
  const members = jobs.map(({ id }) => id);
  await storage.enqueue({
    queue: QUEUE,
    flows: [{ end, jobs, joins: [{ id: end, mode: "all", members }] }],
  });
  const records = await storage.read({ queue: QUEUE, ids: [members[0]!, members.at(-1)!] });
  expect(records).toMatchObject([{ state: "ready" }, { state: "ready" }]);
});
