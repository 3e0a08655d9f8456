import { join } from "node:path";
import { createQueue, moveQueue, task } from "@taskq/core";
import { memoryStorage } from "@taskq/memory";
import { sqliteStorage } from "@taskq/sqlite";
import { expect, test } from "vitest";
import { createConsumer } from "../src/index.js";
import { closing } from "./serving.js";
import { sleep, temporaryFolder } from "./support.js";

const storages = [
  ["SQLite to SQLite", "sqlite", "sqlite"],
  ["memory to SQLite", "memory", "sqlite"],
  ["SQLite to memory", "sqlite", "memory"],
] as const;

test.each(storages)(
  "a queue under load moves from %s: its consumer ends what runs and stops, and the rest runs at the target",
  async (_, first, second) => {
    const folder = await temporaryFolder();
    const runs = new Map<string, number>();
    const work = task("work", async (n: number, { id }) => {
      runs.set(id, (runs.get(id) ?? 0) + 1);
      await sleep(3);
      return n;
    });
    const follow = task("follow", async (n: number) => n + 1);
    const queueOn = (kind: "memory" | "sqlite", name: string) => {
      const storage = kind === "memory" ? memoryStorage() : sqliteStorage({ path: join(folder, name) });
      return closing(createQueue({ storage, tasks: { work, follow } }));
    };
    const [from, to] = [queueOn(first, "from.db"), queueOn(second, "to.db")];
    const results = await from.enqueueMany(Array.from({ length: 200 }, (__, n) => work.job(n).pipe(follow)));
    const consumer = createConsumer(from, { workers: 4 });
    const stopped = consumer.run().catch((error: unknown) => error);
    while (runs.size < 10) await sleep(1);
    await moveQueue(from, to);
    expect(await stopped).toMatchObject({ code: "TASKQ_MOVED" });
    expect(runs.size).toBeLessThan(200);
    const next = createConsumer(to, { workers: 4 });
    const running = next.run();
    const values = await Promise.all(results.map(({ id }) => to.result(follow, id).wait()));
    expect(values).toEqual(Array.from({ length: 200 }, (__, n) => n + 1));
    await next.stop();
    await running;
    expect([...runs.values()].every((times) => times === 1)).toBe(true);
    expect((await to.counts()).completed).toBe(400);
  },
);
