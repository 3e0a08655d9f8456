import { createQueue, every, group, periodic, task, type Queue } from "@taskq/core";
import { engineOf, InlineRunner, Ticker } from "@taskq/core/engine";
import { sqliteStorage } from "@taskq/sqlite";
import Database from "better-sqlite3";
import { describe, expect, test } from "vitest";
import { signedSerializer } from "../src/index.ts";
import { afterTest, temporaryFile } from "./support/closing.ts";

const secret = "a secret of the tests, with more than 32 bytes";

/** A signed queue on SQLite, and whoever can write to its file. */
function setUp(options: { readonly encrypt?: boolean } = {}) {
  const path = temporaryFile("jobs.db");
  const ran: unknown[] = [];
  const told: unknown[] = [];
  const pay = task("pay", async ({ to }: { to: string }) => {
    ran.push(`pay ${to}`);
    return to;
  });
  const refund = task("refund", async ({ to }: { to: string }) => void ran.push(`refund ${to}`));
  const note = task("note", async (input: unknown) => void ran.push(input));
  const locked = task("locked", { lock: "door" }, async () => void ran.push("locked"));
  const nightly = periodic("nightly", every("1h"), async () => void ran.push("nightly"));
  const tasks = { pay, refund, note, locked, nightly };
  const logger = { debug() {}, info() {}, warn() {}, error: (fields: unknown) => void told.push(fields) };
  const storage = sqliteStorage({ path });
  const serializer = signedSerializer({ secret, ...options });
  const queueOf = (name: string) => {
    const queue = createQueue({ storage, tasks, serializer, name, logger });
    afterTest(() => queue.close());
    return queue;
  };
  const queue = queueOf("main");
  const write = async <T>(change: (database: Database.Database) => T): Promise<T> => {
    await engineOf(queue).open();
    const database = new Database(path);
    try {
      return change(database);
    } finally {
      database.close();
    }
  };
  return { queue, queueOf, tasks, ran, told, write };
}

async function run(queue: Queue): Promise<void> {
  await new InlineRunner(engineOf(queue)).runDue();
}

async function stateOf(queue: Queue, id: string): Promise<string | undefined> {
  return (await queue.job(id))?.state;
}

/** The key of a job with an id that was given. */
function keyOf(database: Database.Database, name: string, queue = "main"): bigint {
  const sql =
    "SELECT key FROM taskq_names WHERE name = ? AND queue = (SELECT id FROM taskq_queues WHERE name = ?)";
  return (database.prepare(sql).safeIntegers().get(name, queue) as { key: bigint }).key;
}

describe("what whoever can write to the file cannot have", () => {
  test("run a job of plain JSON", async () => {
    const { queue, tasks, ran, write } = setUp();
    const { id } = await queue.enqueue(tasks.pay.job({ to: "Anna" }), { id: "a" });
    const forged = Buffer.from(JSON.stringify({ v: 1, task: "pay", input: { to: "Mallory" } }));
    await write((db) => db.prepare("UPDATE taskq_jobs SET body = ?").run(forged));
    await run(queue);
    expect(await stateOf(queue, id)).toBe("quarantined");
    expect(ran).toEqual([]);
    await expect(queue.result(id).wait()).rejects.toThrow("it is not signed");
  });

  test("run another job's bytes, of this queue or of another one under the same id", async () => {
    const { queue, queueOf, tasks, ran, write } = setUp();
    const other = queueOf("other");
    await queue.enqueue(tasks.pay.job({ to: "Anna" }), { id: "a" });
    await queue.enqueue(tasks.pay.job({ to: "Bert" }), { id: "b" });
    await other.enqueue(tasks.pay.job({ to: "Carl" }), { id: "b" });
    await write((db) => {
      const [a, b, c] = [keyOf(db, "a"), keyOf(db, "b"), keyOf(db, "b", "other")];
      const body = (key: bigint): unknown =>
        (db.prepare("SELECT body FROM taskq_jobs WHERE key = ?").get(key) as { body: unknown }).body;
      const [ofB, ofC] = [body(b), body(c)];
      const put = db.prepare("UPDATE taskq_jobs SET body = ? WHERE key = ?");
      put.run(ofB, a);
      put.run(ofC, b);
    });
    await run(queue);
    expect([await stateOf(queue, "a"), await stateOf(queue, "b")]).toEqual(["quarantined", "quarantined"]);
    await expect(queue.result("a").wait()).rejects.toThrow("it was signed for another id");
    await expect(queue.result("b").wait()).rejects.toThrow("it was signed for another queue");
    expect(ran).toEqual([]);
    await run(other);
    expect(ran).toEqual(["pay Carl"]);
  });

  test("run a job as another task, later than it expires, or past its lock", async () => {
    const { queue, tasks, ran, write } = setUp();
    await queue.enqueue(tasks.pay.job({ to: "Anna" }), { id: "task" });
    await queue.enqueue(tasks.pay.job({ to: "Bert" }), { id: "expiry", expires: "1h" });
    await queue.enqueue(tasks.locked.job(), { id: "lock" });
    await write((db) => {
      db.prepare("UPDATE taskq_jobs SET task = 'refund' WHERE key = ?").run(keyOf(db, "task"));
      db.prepare("UPDATE taskq_jobs SET expires = NULL, later = NULL WHERE key = ?").run(keyOf(db, "expiry"));
      db.prepare("UPDATE taskq_jobs SET meta = replace(meta, 'door', 'gate') WHERE key = ?").run(
        keyOf(db, "lock"),
      );
    });
    await run(queue);
    expect(ran).toEqual([]);
    const states = await Promise.all(["task", "expiry", "lock"].map((id) => stateOf(queue, id)));
    expect(states).toEqual(["quarantined", "quarantined", "quarantined"]);
    await expect(queue.result("expiry").wait()).rejects.toThrow("differs from its bytes: expiry");
  });

  test("have a result stand for another job's, or for a job", async () => {
    const { queue, tasks, ran, write } = setUp();
    await queue.enqueue(tasks.pay.job({ to: "Mallory" }), { id: "m" });
    const flow = await queue.enqueue(tasks.pay.job({ to: "Anna" }).pipe(tasks.note), { id: "end" });
    const first = flow.stages[0]!.id;
    await queue.enqueue(tasks.note.job(1), { id: "body" });
    await queue.pause(tasks.note);
    await run(queue);
    expect(ran.map(String).toSorted()).toEqual(["pay Anna", "pay Mallory"]);
    await write((db) => {
      const result = "(SELECT result FROM taskq_jobs WHERE key = ?)";
      const source = "(SELECT source FROM taskq_edges WHERE target = ?)";
      db.prepare(`UPDATE taskq_jobs SET result = ${result} WHERE key = ${source}`).run(
        keyOf(db, "m"),
        keyOf(db, "end"),
      );
      db.prepare(`UPDATE taskq_jobs SET body = ${result} WHERE key = ?`).run(
        keyOf(db, "m"),
        keyOf(db, "body"),
      );
    });
    await queue.resume(tasks.note);
    await run(queue);
    expect(ran).toHaveLength(2);
    expect([await stateOf(queue, "end"), await stateOf(queue, "body")]).toEqual([
      "quarantined",
      "quarantined",
    ]);
    await expect(queue.result(first).wait()).rejects.toMatchObject({ code: "TASKQ_SIGNATURE" });
    await expect(queue.result("end").wait()).rejects.toThrow("for another id");
  });

  test("have the result of one run stand for that of another one", async () => {
    const { queue, tasks, write } = setUp();
    const { id } = await queue.enqueue(tasks.pay.job({ to: "Anna" }), { id: "a" });
    await run(queue);
    await write((db) => db.prepare("UPDATE taskq_jobs SET fence = fence + 1, settled = settled + 1").run());
    await expect(queue.result(id).wait()).rejects.toThrow("it was signed for another run");
  });

  test("lead a job's output to other jobs, or have a stage follow another job", async () => {
    const { queue, tasks, ran, write } = setUp();
    await queue.enqueue(tasks.pay.job({ to: "Mallory" }), { id: "m" });
    await queue.enqueue(tasks.pay.job({ to: "Anna" }).pipe(tasks.note), { id: "end" });
    await queue.pause(tasks.note);
    await run(queue);
    const changed = await write((db) =>
      db
        .prepare("UPDATE taskq_edges SET source = ?, id = 'm' WHERE target = ?")
        .run(keyOf(db, "m"), keyOf(db, "end")),
    );
    expect(changed.changes).toBe(1);
    await queue.resume(tasks.note);
    await run(queue);
    expect(ran.map(String).toSorted()).toEqual(["pay Anna", "pay Mallory"]);
    expect(await stateOf(queue, "end")).toBe("quarantined");
    await expect(queue.result("end").wait()).rejects.toMatchObject({ code: "TASKQ_QUARANTINED" });
  });

  test.each([
    ["put another job into a group", "UPDATE taskq_edges SET source = @other WHERE source = @member"],
    ["take a member out of a group", "DELETE FROM taskq_edges WHERE source = @member"],
    [
      "exchange the places of two members",
      "UPDATE taskq_edges SET position = 9 - position WHERE condition = 3",
    ],
  ])("%s", async (_, statement) => {
    const { queue, tasks, ran, write } = setUp();
    await queue.enqueue(tasks.pay.job({ to: "Mallory" }), { id: "m" });
    const members = [tasks.pay.job({ to: "Anna" }), tasks.pay.job({ to: "Bert" })];
    await queue.enqueue(group(members).pipe(tasks.note), { id: "end" });
    await queue.pause(tasks.note);
    await run(queue);
    const changes = await write((db) => {
      const member = db
        .prepare("SELECT source FROM taskq_edges WHERE condition = 3 ORDER BY position")
        .safeIntegers()
        .get() as { source: bigint };
      const values = { other: keyOf(db, "m"), member: member.source };
      const wanted = Object.fromEntries(
        Object.entries(values).filter(([name]) => statement.includes(`@${name}`)),
      );
      return db.prepare(statement).run(wanted).changes;
    });
    expect(changes).toBeGreaterThan(0);
    await queue.resume(tasks.note);
    await run(queue);
    expect(ran.map(String).toSorted()).toEqual(["pay Anna", "pay Bert", "pay Mallory"]);
    expect(await stateOf(queue, "end")).toBe("quarantined");
    await expect(queue.result("end").wait()).rejects.toThrow("its members are others");
  });

  test("read a value under another key, or one that was made elsewhere", async () => {
    const { queue, queueOf, write } = setUp();
    await queue.values.set("limit", 10);
    await queue.values.set("balance", 1_000);
    await queueOf("other").values.set("limit", 99);
    await write((db) =>
      db
        .prepare(
          "UPDATE taskq_values SET bytes = (SELECT bytes FROM taskq_values WHERE name = 'balance') WHERE name = 'limit'",
        )
        .run(),
    );
    await expect(queue.values.get("limit")).rejects.toThrow(
      "value 'limit', id 'limit': it was signed for another id",
    );
    await expect(queue.values.take("limit")).rejects.toMatchObject({ code: "TASKQ_SIGNATURE" });
    await queue.values.set("limit", 10);
    await expect(queueOf("other").values.get("limit")).rejects.toThrow("it was signed for another");
    expect(await queue.values.get("limit")).toBe(10);
  });

  test("have a schedule run another one's job, or a periodic task under a second name", async () => {
    const { queue, tasks, told, write } = setUp();
    await queue.schedules.upsert("small", { schedule: every("1h"), job: tasks.pay.job({ to: "Anna" }) });
    await queue.schedules.upsert("large", { schedule: every("1d"), job: tasks.pay.job({ to: "Mallory" }) });
    await new Ticker(engineOf(queue)).declare();
    await write((db) => {
      db.prepare(
        "UPDATE taskq_schedules SET bytes = (SELECT bytes FROM taskq_schedules WHERE name = 'large') WHERE name = 'small'",
      ).run();
      db.prepare(
        "INSERT INTO taskq_schedules SELECT queue, 'again', origin, task, bytes, 0, 0, NULL FROM taskq_schedules WHERE name = 'nightly'",
      ).run();
      db.prepare("UPDATE taskq_schedules SET last_at = 0").run();
    });
    await new Ticker(engineOf(queue)).tick();
    const tasksStored = await write((db) =>
      db.prepare("SELECT task, count(*) AS n FROM taskq_jobs GROUP BY task").all(),
    );
    expect(tasksStored).toEqual([
      { task: "nightly", n: 1 },
      { task: "pay", n: 1 },
    ]);
    expect(told.map((fields) => (fields as { schedule: string }).schedule).toSorted()).toEqual([
      "again",
      "small",
    ]);
    await expect(queue.schedules.trigger("small")).rejects.toMatchObject({ code: "TASKQ_SIGNATURE" });
  });
});

test("with encrypt nothing that is handed over stands in the file, keys among it", async () => {
  const { queue, tasks, write } = setUp({ encrypt: true });
  const mail = task(
    "mail",
    { unique: { key: ({ to }: { to: string }) => to }, lock: { key: ({ to }: { to: string }) => to } },
    async ({ to }: { to: string }, context) => {
      context.log.info({ person: to }, "sent to-anna@example.org");
      await context.progress({ now: to });
      throw new Error(`no such mailbox: ${to}`);
    },
  );
  const mails = createQueue({
    storage: engineOf(queue).storage as never,
    tasks: { mail },
    name: "mails",
    serializer: engineOf(queue).serializer,
  });
  afterTest(() => mails.close());
  const to = "to-anna@example.org";
  const { id } = await mails.enqueue(mail.job({ to }));
  await queue.enqueue(tasks.pay.job({ to }), { headers: { for: to } });
  await queue.values.set("who", to);
  await queue.schedules.upsert("weekly", { schedule: every("7d"), job: tasks.pay.job({ to }) });
  await run(queue);
  await run(mails);
  await expect(mails.result(id).wait()).rejects.toThrow(`no such mailbox: ${to}`);
  expect((await mails.job(id))?.progress).toEqual({ now: to });
  const all = await write((db) => {
    const tables = db.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all() as {
      name: string;
    }[];
    return tables.map(({ name }) => {
      const rows = db.prepare(`SELECT * FROM "${name}"`).safeIntegers().all() as Record<string, unknown>[];
      return rows.map((row) =>
        Object.values(row)
          .map((cell) => String(cell))
          .join("\n"),
      );
    });
  });
  expect(all.flat().length).toBeGreaterThan(8);
  for (const text of all.flat()) expect(text).not.toContain("anna");
});

describe.each([{ encrypt: false }, { encrypt: true }])("a stored schedule, with %j", (options) => {
  test("stays paused and misses nothing where a program stores it anew at each start", async () => {
    const { queue, tasks, write } = setUp(options);
    const store = async (to: string) => {
      await queue.schedules.upsert("weekly", { schedule: every("7d"), job: tasks.pay.job({ to }) });
      const since = await write((db) => db.prepare("SELECT last_at FROM taskq_schedules").pluck().get());
      for await (const { paused } of queue.schedules.list()) return { paused, since };
      return undefined;
    };
    await store("Anna");
    await queue.schedules.pause("weekly");
    await write((db) => db.prepare("UPDATE taskq_schedules SET last_at = 1000").run());
    expect(await store("Anna")).toEqual({ paused: true, since: 1000 });
    const other = await store("Berta");
    expect(other?.paused).toBe(false);
    expect(other?.since).not.toBe(1000);
  });
});
