/** What looks after the log by the way never ends the process. */
import { mkdirSync, renameSync, symlinkSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { afterTest, failure, flow, openStorage, QUEUE, temporaryFolder } from "./support.ts";

test("a folder that can no longer be reached after a write ends no process, and is told by the next call", async () => {
  const folder = temporaryFolder();
  const place = join(folder, "place");
  mkdirSync(place);
  const storage = await openStorage({ path: join(place, "jobs.db") });
  await storage.enqueue({ queue: QUEUE, flows: [flow()] });
  renameSync(place, join(folder, "elsewhere"));
  // A link in a circle: whoever looks gets an error, as where a folder may not be entered.
  symlinkSync(place, place);
  const uncaught: unknown[] = [];
  const hear = (error: unknown): void => void uncaught.push(error);
  process.on("uncaughtException", hear);
  afterTest(() => void process.off("uncaughtException", hear));
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(uncaught).toEqual([]);
  expect(await failure(storage.enqueue({ queue: QUEUE, flows: [flow()] }))).toMatchObject({
    code: "TASKQ_STORAGE",
  });
  unlinkSync(place);
  renameSync(join(folder, "elsewhere"), place);
  expect(await storage.enqueue({ queue: QUEUE, flows: [flow()] })).toMatchObject({
    flows: [{ status: "stored" }],
  });
});
