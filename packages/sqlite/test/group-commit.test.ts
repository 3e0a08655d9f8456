import { join } from "node:path";
import Database from "better-sqlite3";
import { createIdMaker, splitId, joinId, type StorageContract } from "@taskq/core/storage";
import { expect, test } from "vitest";
import { afterTest, failure, flow, openStorage, QUEUE, temporaryFolder } from "./support.ts";

interface Counted {
  readonly storage: StorageContract;
  /** Commits that another connection sees, since the last time. */
  readonly commits: () => number;
}

/** Counts commits by the change counter that each leaves in the log's index, as another connection sees it. */
async function counted(): Promise<Counted> {
  const path = join(temporaryFolder(), "jobs.db");
  const storage = await openStorage({ path });
  const database = new Database(path);
  afterTest(() => void database.close());
  const frames = (): number => (database.pragma("wal_checkpoint(PASSIVE)") as { log: number }[])[0]?.log ?? 0;
  database.pragma("wal_checkpoint(TRUNCATE)");
  let before = frames();
  return {
    storage,
    commits: () => {
      const now = frames();
      const written = now - before;
      before = now;
      return written;
    },
  };
}

test("calls of one tick share a transaction", async () => {
  const { storage, commits } = await counted();
  await Promise.all(Array.from({ length: 50 }, () => storage.enqueue({ queue: QUEUE, flows: [flow()] })));
  // Fifty jobs fill a few pages; fifty transactions would write each of them fifty times.
  expect(commits()).toBeLessThan(50);
  for (let index = 0; index < 50; index += 1) await storage.enqueue({ queue: QUEUE, flows: [flow()] });
  expect(commits()).toBeGreaterThan(50);
  expect((await storage.counts({ queue: QUEUE }))["*"]?.ready).toBe(100);
});

test.each(["normal", "full"] as const)(
  "at durability %s, a call that nothing came before is stored at once",
  async (durability) => {
    const path = join(temporaryFolder(), "jobs.db");
    const storage = await openStorage({ path, durability });
    const database = new Database(path);
    afterTest(() => void database.close());
    const ready = database.prepare("SELECT count(*) FROM taskq_jobs").pluck();
    const enqueue = () => storage.enqueue({ queue: QUEUE, flows: [flow()] });
    const three = [enqueue(), enqueue(), enqueue()];
    expect(ready.get()).toBe(1);
    for (const answer of await Promise.all(three)) {
      expect(answer).toMatchObject({ flows: [{ status: "stored", state: "ready" }] });
    }
    expect(ready.get()).toBe(3);
    // Several came together: the next ones are awaited, in case there are several again.
    const two = [enqueue(), enqueue()];
    expect(ready.get()).toBe(3);
    await Promise.all(two);
    const lone = enqueue();
    expect(ready.get()).toBe(5);
    await lone;
    // One came alone: so does the next one.
    const next = enqueue();
    expect(ready.get()).toBe(7);
    await next;
  },
);

test("a call that finds the file busy is stored once it is free, like those behind it", async () => {
  const path = join(temporaryFolder(), "jobs.db");
  const storage = await openStorage({ path });
  const database = new Database(path);
  afterTest(() => void database.close());
  database.exec("BEGIN IMMEDIATE");
  const calls = [flow(), flow()].map((each) => storage.enqueue({ queue: QUEUE, flows: [each] }));
  await new Promise((resolve) => setTimeout(resolve, 20));
  database.exec("ROLLBACK");
  for (const answer of await Promise.all(calls)) {
    expect(answer).toMatchObject({ flows: [{ status: "stored" }] });
  }
  expect((await storage.counts({ queue: QUEUE }))["*"]?.ready).toBe(2);
});

test("a call that fails is undone alone, and the others of its tick are kept", async () => {
  const { storage } = await counted();
  await storage.enqueue({ queue: QUEUE, flows: [flow({ id: "taken", named: true, task: "other" })] });
  const innocent = [flow(), flow(), flow({ id: "mine", named: true })];
  const calls = [
    storage.enqueue({ queue: QUEUE, flows: [innocent[0]!] }),
    // Its first flow is stored before its second is refused.
    failure(storage.enqueue({ queue: QUEUE, flows: [flow(), flow({ id: "taken", named: true })] })),
    storage.enqueue({ queue: QUEUE, flows: [innocent[1]!] }),
    failure(storage.enqueue({ queue: QUEUE, flows: [flow({ id: "taken", named: true })] })),
    failure(storage.enqueue({ queue: QUEUE, flows: [flow({ id: "taken", named: true })] })),
    failure(storage.enqueue({ queue: QUEUE, flows: [flow({ id: "taken", named: true })] })),
    storage.enqueue({ queue: QUEUE, flows: [innocent[2]!] }),
  ] as const;
  const answers = await Promise.all(calls);
  for (const index of [1, 3, 4, 5]) expect(answers[index]).toMatchObject({ code: "TASKQ_ID_TAKEN" });
  for (const index of [0, 2, 6]) expect(answers[index]).toMatchObject({ flows: [{ status: "stored" }] });
  expect((await storage.counts({ queue: QUEUE }))["*"]?.ready).toBe(4);
});

test("a value that SQLite refuses rejects its call with the cause, and the others are kept", async () => {
  const { storage } = await counted();
  const stored = storage.enqueue({ queue: QUEUE, flows: [flow()] });
  const refused = failure(
    storage.enqueue({ queue: QUEUE, flows: [flow({ task: null as unknown as string })] }),
  );
  expect(await stored).toMatchObject({ flows: [{ status: "stored" }] });
  const error = await refused;
  expect(error.code).toBe("TASKQ_STORAGE");
  expect(error.cause).toMatchObject({ code: expect.stringContaining("SQLITE_CONSTRAINT") as string });
});

test("an id of another job's making is a collision and stores nothing of its call", async () => {
  const { storage } = await counted();
  const id = createIdMaker()(Date.now());
  await storage.enqueue({ queue: QUEUE, flows: [flow({ id })] });
  const parts = splitId(id)!;
  const other = joinId({ ...parts, random: (parts.random + 1) % 2 ** 40 });
  const beside = flow();
  const [kept, answer] = await Promise.all([
    storage.enqueue({ queue: QUEUE, flows: [flow()] }),
    storage.enqueue({ queue: QUEUE, flows: [beside, flow({ id: other })] }),
  ]);
  expect(answer).toEqual({ collision: other });
  expect(kept).toMatchObject({ flows: [{ status: "stored" }] });
  expect(await storage.read({ queue: QUEUE, ids: [beside.end, other] })).toEqual([undefined, undefined]);
});

test("a step in the same tick sees what was enqueued before it", async () => {
  const { storage } = await counted();
  const stored = flow();
  const enqueued = storage.enqueue({ queue: QUEUE, flows: [stored] });
  const step = storage.step({
    queue: QUEUE,
    owner: "owner",
    request: 1,
    tasks: ["work"],
    settled: [],
    begun: [],
    claim: { begin: 1, ahead: 0, lease: 1000 },
  });
  expect((await step).claimed.map(({ id }) => id)).toEqual([stored.end]);
  await enqueued;
});

test("what was enqueued before a close is stored", async () => {
  const path = join(temporaryFolder(), "jobs.db");
  const storage = await openStorage({ path });
  const enqueued = storage.enqueue({ queue: QUEUE, flows: [flow()] });
  await storage.close();
  await enqueued;
  const again = await openStorage({ path });
  expect((await again.counts({ queue: QUEUE }))["*"]?.ready).toBe(1);
});
