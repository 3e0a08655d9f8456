import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, test } from "vitest";
import { claim, flow, openStorage, QUEUE, temporaryFolder } from "./support.ts";

test.each(["'héé'", "'a' || char(0) || 'b'", "42", "3.5", "CAST(x'c328ff' AS TEXT)"])(
  "a message that somebody has replaced by %s leaves those that are claimed with it as they are",
  async (value) => {
    const path = join(temporaryFolder(), "jobs.db");
    const storage = await openStorage({ path });
    const bodies = Array.from({ length: 20 }, (_, index) => new Uint8Array([index, 2, 3]));
    await storage.enqueue({ queue: QUEUE, flows: bodies.map((body) => flow({ body })) });
    const file = new Database(path);
    file.exec(`UPDATE taskq_jobs SET body = ${value} WHERE key = (SELECT min(key) FROM taskq_jobs)`);
    file.close();
    const claimed = await claim(storage, 1, 20);
    expect(claimed.slice(1).map(({ body }) => body)).toEqual(bodies.slice(1));
  },
);
