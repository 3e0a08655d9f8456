import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, test, vi } from "vitest";
import { flow, openStorage, QUEUE, temporaryFolder } from "./support.ts";

/** How many rows the statements of some work answer. */
async function rowsRead(work: () => Promise<void>): Promise<number> {
  const database = new Database(":memory:");
  const all = vi.spyOn(Object.getPrototypeOf(database.prepare("SELECT 1")) as Database.Statement, "all");
  database.close();
  try {
    await work();
    return all.mock.results.reduce((sum, { value }) => sum + (value as unknown[]).length, 0);
  } finally {
    all.mockRestore();
  }
}

test("a page of some of the jobs reads no more rows than it answers", async () => {
  const storage = await openStorage({ path: join(temporaryFolder(), "jobs.db") });
  const flows = Array.from({ length: 1_000 }, () => flow());
  await storage.enqueue({ queue: QUEUE, flows });
  const read = await rowsRead(async () => {
    const { records } = await storage.list({ queue: QUEUE, states: ["ready"], limit: 100 });
    expect(records.map(({ id }) => id)).toEqual(flows.slice(0, 100).map(({ end }) => end));
  });
  expect(read).toBeLessThan(130);
});

test("a page of a state of which there are few reads none of the others", async () => {
  const storage = await openStorage({ path: join(temporaryFolder(), "jobs.db") });
  const flows = Array.from({ length: 3_000 }, () => flow());
  await storage.enqueue({ queue: QUEUE, flows });
  const ids = [flows[10]?.end ?? "", flows[2_900]?.end ?? ""];
  await storage.amend({ queue: QUEUE, ids, change: { kind: "revoke", scope: "flow" } });
  const read = await rowsRead(async () => {
    const { records } = await storage.list({ queue: QUEUE, states: ["cancelled", "skipped"], limit: 100 });
    expect(records.map(({ id }) => id)).toEqual(ids);
  });
  expect(read).toBeLessThan(10);
});
