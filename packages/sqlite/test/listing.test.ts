import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, test, vi } from "vitest";
import { flow, openStorage, QUEUE, temporaryFolder } from "./support.ts";

test("a page of some of the jobs reads no more rows than it answers", async () => {
  const storage = await openStorage({ path: join(temporaryFolder(), "jobs.db") });
  const flows = Array.from({ length: 1_000 }, () => flow());
  await storage.enqueue({ queue: QUEUE, flows });
  const database = new Database(":memory:");
  const all = vi.spyOn(Object.getPrototypeOf(database.prepare("SELECT 1")) as Database.Statement, "all");
  database.close();
  try {
    const { records } = await storage.list({ queue: QUEUE, states: ["ready"], limit: 100 });
    expect(records.map(({ id }) => id)).toEqual(flows.slice(0, 100).map(({ end }) => end));
    expect(all.mock.results.reduce((sum, { value }) => sum + (value as unknown[]).length, 0)).toBeLessThan(
      130,
    );
  } finally {
    all.mockRestore();
  }
});
