import { join } from "node:path";
import { createQueue, task, TaskqError, type StandardSchema } from "@taskq/core";
import type { StorageContract } from "@taskq/core/storage";
import Database from "better-sqlite3";
import { sqliteStorage, type SqliteStorage } from "@taskq/sqlite";
import { describe, expect, test } from "vitest";
import { afterTest, failure, flow, temporaryFolder } from "./support.ts";

const add = task("add", async (input: { a: number; b: number }) => input.a + input.b);

interface Shop {
  readonly database: Database.Database;
  readonly storage: SqliteStorage;
  readonly path: string;
  readonly orders: () => number;
}

/** A user's own database with a table of his, and a queue in the same file. */
function shop() {
  const path = join(temporaryFolder(), "shop.db");
  const database = new Database(path);
  afterTest(() => void database.close());
  database.exec("CREATE TABLE orders (id INTEGER PRIMARY KEY)");
  const storage = sqliteStorage({ database });
  const queue = createQueue({ storage, tasks: { add } });
  afterTest(() => queue.close());
  const made: Shop = {
    database,
    storage,
    path,
    orders: () =>
      (database.prepare("SELECT count(*) AS orders FROM orders").get() as { orders: number }).orders,
  };
  return {
    ...made,
    queue,
    order: (id: number) => void database.prepare("INSERT INTO orders (id) VALUES (?)").run(id),
  };
}

describe("on the user's connection", () => {
  test("the user's writes and a prepared job are stored together", async () => {
    const { storage, queue, order, orders } = shop();
    const ready = await queue.prepare(add.job({ a: 2, b: 3 }));
    const result = await storage.transaction((tx) => {
      order(7);
      return { handle: tx.enqueue(ready) };
    });
    expect(orders()).toBe(1);
    expect(await result.handle.state()).toBe("ready");
  });

  test("a job is prepared within the transaction where its schema is synchronous", async () => {
    const { storage, queue, order, orders } = shop();
    await queue.counts();
    const { handle } = await storage.transaction((tx) => {
      order(8);
      return { handle: tx.enqueue(queue, add.job({ a: 1, b: 1 })) };
    });
    expect(orders()).toBe(1);
    expect(await handle.state()).toBe("ready");
  });

  test("a job that is the first of a process leaves what the queue was opened with as it is", async () => {
    const { database, path, storage } = shop();
    const options = { tasks: { add }, unknownAfter: "1d", keep: { completed: "5m" } } as const;
    const consumer = createQueue({ ...options, storage: sqliteStorage({ path }) });
    afterTest(() => consumer.close());
    await consumer.counts();
    const settings = database.prepare("SELECT unknown_after, completed_for FROM taskq_queues");
    const opened = settings.all();
    expect(opened).toEqual([{ unknown_after: 86_400_000, completed_for: 300_000 }]);
    const producer = createQueue({ ...options, storage });
    afterTest(() => producer.close());
    await storage.transaction((tx) => void tx.enqueue(producer, add.job({ a: 1, b: 1 })));
    expect(settings.all()).toEqual(opened);
  });

  test("what the work throws is passed on, and undoes both", async () => {
    const { storage, queue, order, orders } = shop();
    const ready = await queue.prepare(add.job({ a: 2, b: 3 }));
    const mine = new Error("no more beans");
    const error = await failure(
      storage.transaction((tx) => {
        order(9);
        tx.enqueue(ready);
        throw mine;
      }),
    );
    expect(error).toBe(mine);
    expect(orders()).toBe(0);
    expect((await queue.counts()).ready).toBe(0);
  });

  test("an error of the user's own statements is passed on as it is, and undoes both", async () => {
    const { storage, queue, order, orders } = shop();
    const ready = await queue.prepare(add.job({ a: 2, b: 3 }));
    order(1);
    const error = await failure(
      storage.transaction((tx) => {
        tx.enqueue(ready);
        order(1);
      }),
    );
    expect(error.code).toBe("SQLITE_CONSTRAINT_PRIMARYKEY");
    expect(orders()).toBe(1);
    expect((await queue.counts()).ready).toBe(0);
  });

  test("work that is no function is refused", async () => {
    const { storage } = shop();
    const error = await failure(storage.transaction(undefined as never));
    expect(error.code).toBe("TASKQ_OPTION");
    expect(error.message).toBe("storage.transaction: expected a function, got undefined");
  });

  test("work that answers a promise is refused, and undone", async () => {
    const { storage, queue, order, orders } = shop();
    const ready = await queue.prepare(add.job({ a: 2, b: 3 }));
    const error = await failure(
      storage.transaction((tx): never => {
        order(2);
        tx.enqueue(ready);
        return Promise.reject(new Error("nobody hears this")) as never;
      }),
    );
    expect(error.code).toBe("TASKQ_ASYNC_IN_TRANSACTION");
    expect(error.message).toMatch(/expected synchronous work, got work that answers a promise/);
    expect(orders()).toBe(0);
    expect((await queue.counts()).ready).toBe(0);
  });

  test.each(["INSERT OR ROLLBACK INTO orders VALUES (1)", "ROLLBACK", "COMMIT"])(
    "nothing is enqueued any more once the work has ended its transaction by %s",
    async (statement) => {
      const { database, storage, queue, order } = shop();
      const ready = await queue.prepare(add.job({ a: 2, b: 3 }));
      order(1);
      const end = (): void => {
        try {
          database.exec(statement);
        } catch {
          // He knows that it is there.
        }
      };
      for (const work of [() => undefined, (enqueue: () => unknown) => void enqueue()]) {
        const error = await failure(
          storage.transaction((tx) => {
            end();
            work(() => tx.enqueue(ready));
            return 1;
          }),
        );
        expect(error.code).toBe("TASKQ_STORAGE");
        expect(error.message).toMatch(/expected its transaction to last as long as the work/);
        expect((await queue.counts()).ready).toBe(0);
      }
    },
  );

  test.each(["COMMIT; BEGIN", "ROLLBACK; BEGIN", "COMMIT; BEGIN; SAVEPOINT a", "COMMIT; SAVEPOINT a"])(
    "a work that has begun another transaction by %s is told so, and what follows is not kept",
    async (statements) => {
      const { database, storage, queue, order, orders } = shop();
      const [first, second] = [
        await queue.prepare(add.job({ a: 2, b: 3 })),
        await queue.prepare(add.job({ a: 4, b: 5 })),
      ];
      const error = await failure(
        storage.transaction((tx) => {
          order(1);
          tx.enqueue(first);
          database.exec(statements);
          order(2);
          tx.enqueue(second);
        }),
      );
      expect(error.code).toBe("TASKQ_STORAGE");
      expect(error.message).toMatch(/expected its transaction to last as long as the work/);
      expect(database.inTransaction).toBe(false);
      const kept = statements.startsWith("COMMIT") ? 1 : 0;
      expect([orders(), (await queue.counts()).ready]).toEqual([kept, kept]);
    },
  );

  test("what the work takes back to a savepoint of its own is told nobody, and the rest is kept", async () => {
    const { database, storage, queue, order, orders } = shop();
    const enqueued: string[] = [];
    queue.on("enqueued", ({ id }) => void enqueued.push(id));
    const { kept, lost } = await storage.transaction((tx) => {
      order(1);
      let takenBack = "";
      const nested = database.transaction(() => {
        order(2);
        takenBack = tx.enqueue(queue, add.job({ a: 1, b: 1 })).id;
        throw new Error("no");
      });
      expect(() => nested()).toThrow("no");
      database.exec("SAVEPOINT a");
      return { kept: tx.enqueue(queue, add.job({ a: 2, b: 2 })).id, lost: takenBack };
    });
    expect(orders()).toBe(1);
    expect(enqueued).toEqual([kept]);
    expect(await queue.job(lost)).toBeUndefined();
    expect((await queue.enqueue(add.job({ a: 3, b: 3 }))).existing).toBe(false);
    expect((await queue.counts()).ready).toBe(2);
  });

  test("how long a task's jobs are kept holds after one of them was taken back to a savepoint", async () => {
    const { database, storage, queue } = shop();
    const brief = task("brief", { keep: { completed: { for: "1s" } } }, async () => {});
    const shortly = createQueue({ storage, tasks: { brief } });
    await shortly.counts();
    await storage.transaction((tx) => {
      database.exec("SAVEPOINT own");
      tx.enqueue(shortly, brief.job());
      database.exec("ROLLBACK TO own");
    });
    const kept = await shortly.enqueue(brief.job());
    const contract = storage as unknown as StorageContract;
    const about = { queue: queue.name, owner: "owner", tasks: ["brief"], begun: [] };
    const claim = { begin: 1, ahead: 0, lease: 30_000 };
    const [run] = (await contract.step({ ...about, request: 1, settled: [], claim })).claimed;
    const ended = {
      startedAt: Date.now(),
      outcome: { kind: "completed", result: undefined },
      add: undefined,
    } as const;
    const settled = run === undefined ? [] : [{ ...run, ...ended }];
    await contract.step({ ...about, request: 1, settled, claim: undefined });
    expect(await kept.state()).toBe("completed");
    const now = Date.now() + 5_000;
    expect(await contract.purge({ queue: queue.name, limit: 10, now })).toMatchObject({ removed: 1 });
  });

  test.each<[string, (database: Database.Database) => void]>([
    ["is closed", (database) => void database.close()],
    [
      "is in the middle of a query",
      (database) => {
        const rows = database.prepare("SELECT 1").iterate();
        rows.next();
        afterTest(() => void rows.return?.());
      },
    ],
    ["may only read", (database) => void database.pragma("query_only = 1")],
  ])("a connection that %s is refused with TASKQ_STORAGE", async (_, spoil) => {
    const { database, storage, queue } = shop();
    const ready = await queue.prepare(add.job({ a: 2, b: 3 }));
    spoil(database);
    const error = await failure(storage.transaction((tx) => ({ handle: tx.enqueue(ready) })));
    expect(error.code).toBe("TASKQ_STORAGE");
    expect(error.cause).toBeInstanceOf(Error);
    expect((await queue.counts()).ready).toBe(0);
  });

  test("a connection that was opened for reading only is refused with TASKQ_STORAGE", async () => {
    const { path, queue } = shop();
    await queue.counts();
    const database = new Database(path, { readonly: true });
    afterTest(() => void database.close());
    const storage = sqliteStorage({ database });
    const own = createQueue({ storage, tasks: { add } });
    afterTest(() => own.close());
    const ready = await own.prepare(add.job({ a: 2, b: 3 }));
    expect((await failure(storage.transaction((tx) => ({ handle: tx.enqueue(ready) })))).code).toBe(
      "TASKQ_STORAGE",
    );
  });

  test("a schema that is asynchronous is refused within a transaction", async () => {
    const { database, storage } = shop();
    const input: StandardSchema<number> = {
      "~standard": { version: 1, vendor: "test", validate: async (value) => ({ value: value as number }) },
    };
    const slow = task("slow", { input }, async (given: number) => given);
    const queue = createQueue({ storage, tasks: { slow }, name: "slow" });
    afterTest(() => queue.close());
    await queue.counts();
    const error = await failure(storage.transaction((tx) => ({ handle: tx.enqueue(queue, slow.job(1)) })));
    expect(error.code).toBe("TASKQ_ASYNC_IN_TRANSACTION");
    expect(database.inTransaction).toBe(false);
  });

  test("a transaction within the user's own is refused, and his goes on", async () => {
    const { database, storage, queue, order, orders } = shop();
    await queue.counts();
    database.exec("BEGIN");
    order(3);
    const error = await failure(storage.transaction(() => 1));
    expect(error.code).toBe("TASKQ_STORAGE");
    expect(error.message).toMatch(/got one within a transaction of its own/);
    database.exec("COMMIT");
    expect(orders()).toBe(1);
  });

  test("a busy file is asked again without blocking, and the work begun again", async () => {
    const { path, storage, queue, order, orders } = shop();
    const ready = await queue.prepare(add.job({ a: 2, b: 3 }));
    const other = new Database(path);
    afterTest(() => void other.close());
    other.exec("BEGIN IMMEDIATE");
    let turns = 0;
    const interval = setInterval(() => (turns += 1), 5);
    setTimeout(() => other.exec("COMMIT"), 300);
    const { handle } = await storage.transaction((tx) => {
      order(4);
      return { handle: tx.enqueue(ready) };
    });
    clearInterval(interval);
    expect(turns).toBeGreaterThan(3);
    expect(orders()).toBe(1);
    expect(await handle.state()).toBe("ready");
  });

  test("the user's own busy timeout is as before", async () => {
    const { database, storage, queue } = shop();
    await queue.counts();
    database.pragma("busy_timeout = 1234");
    await storage.transaction(() => 1);
    expect(database.pragma("busy_timeout", { simple: true })).toBe(1234);
  });

  test("a connection that reads integers as bigint works too", async () => {
    const { database, storage, queue } = shop();
    database.defaultSafeIntegers(true);
    const ready = await queue.prepare(add.job({ a: 2, b: 3 }), { unique: { key: "one" } });
    const { handle } = await storage.transaction((tx) => ({ handle: tx.enqueue(ready) }));
    expect(await handle.state()).toBe("ready");
  });

  test("in immediate mode a job runs once it is committed, before the transaction resolves", async () => {
    const { storage, order, orders } = shop();
    const counted: number[] = [];
    const count = task("count", async () => void counted.push(orders()));
    const queue = createQueue({ storage, name: "tests", tasks: { count }, immediate: true });
    afterTest(() => queue.close());
    const ready = await queue.prepare(count.job());
    const { handle } = await storage.transaction((tx) => {
      order(3);
      tx.enqueue(queue, count.job());
      return { handle: tx.enqueue(ready) };
    });
    expect(await handle.state()).toBe("completed");
    expect(counted).toEqual([1, 1]);
  });

  test("those who watch are told once it is committed", async () => {
    const { storage, queue } = shop();
    const ready = await queue.prepare(add.job({ a: 2, b: 3 }));
    const hints: string[] = [];
    const contract = storage as unknown as {
      watch(queue: string, listener: (hint: { kind: string }) => void): () => void;
    };
    afterTest(contract.watch("default", ({ kind }) => void hints.push(kind)));
    await storage.transaction((tx) => {
      tx.enqueue(ready);
      expect(hints).toEqual([]);
      return 1;
    });
    expect(hints).toContain("ready");
  });

  test("tx.enqueue is refused once the work is over", async () => {
    const { storage, queue } = shop();
    const ready = await queue.prepare(add.job({ a: 2, b: 3 }));
    const kept: (() => unknown)[] = [];
    await storage.transaction((tx) => {
      kept.push(() => tx.enqueue(ready));
      return 1;
    });
    expect(() => kept[0]?.()).toThrow(/within the work of its transaction, which is over/);
  });

  test("a job of a queue on another storage is refused", async () => {
    const { storage } = shop();
    const { queue } = shop();
    const ready = await queue.prepare(add.job({ a: 2, b: 3 }));
    const error = await failure(storage.transaction((tx) => ({ handle: tx.enqueue(ready) })));
    expect(error).toBeInstanceOf(TaskqError);
    expect(error.code).toBe("TASKQ_OPTION");
  });

  test("closing the queue leaves the user's connection open", async () => {
    const { database, queue } = shop();
    await queue.counts();
    await queue.close();
    expect(database.open).toBe(true);
    expect(database.prepare("SELECT 1 AS one").get()).toEqual({ one: 1 });
  });
});

test("with a path, several jobs are enqueued together or not at all", async () => {
  const storage = sqliteStorage({ path: join(temporaryFolder(), "jobs.db") });
  const queue = createQueue({ storage, tasks: { add } });
  afterTest(() => queue.close());
  const first = await queue.prepare(add.job({ a: 1, b: 1 }));
  const second = await queue.prepare(add.job({ a: 2, b: 2 }));
  await failure(
    storage.transaction((tx) => {
      tx.enqueue(first);
      throw new Error("changed my mind");
    }),
  );
  expect((await queue.counts()).ready).toBe(0);
  await storage.transaction((tx) => ({ handles: [tx.enqueue(first), tx.enqueue(second)] }));
  expect((await queue.counts()).ready).toBe(2);
});

test("what the work calls beside its transaction is written after it, and not undone with it", async () => {
  const storage = sqliteStorage({ path: join(temporaryFolder(), "jobs.db") });
  const queue = createQueue({ storage, tasks: { add } });
  afterTest(() => queue.close());
  const contract = storage as unknown as StorageContract;
  const [first, second] = [
    await queue.prepare(add.job({ a: 1, b: 1 })),
    await queue.prepare(add.job({ a: 2, b: 2 })),
  ];
  const calls: Promise<unknown>[] = [];
  const work = (enqueue: (ready: typeof first) => void): number => {
    enqueue(first);
    calls.push(contract.enqueue({ queue: "default", flows: [flow()] }));
    calls.push(queue.lock(`lock ${calls.length}`, { ttl: "1m" }).acquire());
    enqueue(second);
    return 1;
  };
  const mine = new Error("changed my mind");
  const error = await failure(
    storage.transaction((tx) => {
      work((ready) => tx.enqueue(ready));
      throw mine;
    }),
  );
  expect(error).toBe(mine);
  await Promise.all(calls);
  expect((await queue.counts()).ready).toBe(1);
  await storage.transaction((tx) => work((ready) => tx.enqueue(ready)));
  await Promise.all(calls);
  expect((await queue.counts()).ready).toBe(4);
});
