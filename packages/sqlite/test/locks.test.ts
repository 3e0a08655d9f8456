import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createQueue } from "@taskq/core";
import { sqliteStorage } from "@taskq/sqlite";
import Database from "better-sqlite3";
import type { NewGate } from "@taskq/core/storage";
import { expect, test } from "vitest";
import { afterTest, claim, flow, openStorage, QUEUE, temporaryFolder } from "./support.ts";

test("a line that stands still with nobody at its lock moves again with the next job", async () => {
  const path = join(temporaryFolder(), "jobs.db");
  const storage = await openStorage({ path });
  const gates: NewGate[] = [{ kind: "lock", key: "door", max: 1, per: undefined, onBusy: "wait" }];
  const [held, ...waiting] = [flow({ gates }), flow({ gates }), flow({ gates })];
  await storage.enqueue({ queue: QUEUE, flows: [held, ...waiting] });
  const database = new Database(path);
  afterTest(() => void database.close());
  let runs = await claim(storage, 1, 5);
  expect(runs.map(({ id }) => id)).toEqual([held.end]);
  // Files that older releases wrote have such lines.
  database.exec("DELETE FROM taskq_holders");
  const ends: string[] = [];
  const late = flow({ gates });
  for (let request = 2; request < 7; request += 1) {
    const settled = runs.map(({ id, fence }) => ({
      id,
      fence,
      startedAt: Date.now(),
      outcome: { kind: "completed" as const, result: undefined },
      add: undefined,
      claimed: undefined,
    }));
    await storage.step({
      queue: QUEUE,
      owner: "owner",
      request: 0,
      tasks: ["work"],
      settled,
      begun: [],
      claim: undefined,
    });
    if (request === 2) await storage.enqueue({ queue: QUEUE, flows: [late] });
    runs = await claim(storage, request, 5);
    ends.push(...runs.map(({ id }) => id));
  }
  expect(ends).toEqual([...waiting, late].map(({ end }) => end));
});

test("whoever is killed in line is granted the lock for seconds, and not for all of its time to live", async () => {
  const path = join(temporaryFolder(), "jobs.db");
  const queue = createQueue({ storage: sqliteStorage({ path }), tasks: {} });
  afterTest(() => queue.close());
  const held = await queue.lock("door", { ttl: "10m" }).acquire();
  const child = fork(new URL("./wait-for-lock.js", import.meta.url), {
    env: { ...process.env, TASKQ_FILE: path },
  });
  afterTest(() => void child.kill("SIGKILL"));
  const database = new Database(path, { readonly: true });
  afterTest(() => void database.close());
  const inLine = database.prepare("SELECT count(*) FROM taskq_tickets").pluck();
  await expect.poll(() => inLine.get(), { timeout: 20_000 }).toBe(1);
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
  await held[Symbol.asyncDispose]();
  const left = database.prepare("SELECT max(expires) FROM taskq_holders").pluck().get() as number | null;
  expect((left ?? 0) - Date.now()).toBeLessThan(6_000);
}, 40_000);
