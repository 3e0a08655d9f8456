// One column of one row is written over by SQL, at random and the same each time: no other job is lost, run twice or held up.
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { createQueue, group, task } from "@taskq/core";
import { advance } from "@taskq/core/testing";
import type { StorageContract } from "@taskq/core/storage";
import { sqliteStorage } from "@taskq/sqlite";
import Database from "better-sqlite3";
import { expect, test } from "vitest";
import { afterTest, temporaryFolder } from "../support.js";

const ran = new Map<string, number>();

async function work(n: number, { id }: { readonly id: string }): Promise<number> {
  ran.set(id, (ran.get(id) ?? 0) + 1);
  return n;
}

const plain = task("plain", work);
const locked = task("locked", { lock: "one" }, work);
const slot = task("slot", { concurrency: { key: "few", max: 1 } }, work);
const limited = task("limited", { limit: { key: "few", max: 1, per: "10ms" } }, work);
const alone = task("alone", { unique: { key: "me", while: "unfinished", onConflict: "replace" } }, work);
const sum = task("sum", async (all: readonly number[]) => all.length);
const tasks = { plain, locked, slot, limited, alone, sum };

interface Prepared {
  readonly path: string;
  /** Lets the runs end that hold what the others wait for. */
  readonly end: (storage: StorageContract) => Promise<void>;
}

/** A file with lines behind a lock, a slot, a limit and a unique key, flows, and jobs that wait for nothing. */
async function prepare(): Promise<Prepared> {
  const path = join(temporaryFolder(), "jobs.db");
  const storage = sqliteStorage({ path });
  const queue = createQueue({ storage, tasks });
  for (const line of [locked, slot, limited]) for (let n = 0; n < 4; n += 1) await queue.enqueue(line.job(n));
  await queue.enqueue(alone.job(1));
  const { claimed } = await (storage as unknown as StorageContract).step(stepOf(1, []));
  expect(claimed.length).toBe(4);
  for (let n = 0; n < 2; n += 1) await queue.enqueue(alone.job(n));
  await queue.enqueue(group([plain.job(1), group([plain.job(2), plain.job(3)]).pipe(sum)]).pipe(sum));
  for (let n = 0; n < 6; n += 1) await queue.enqueue(plain.job(n), n % 2 === 0 ? { id: `own-${n}` } : {});
  await queue.close();
  const settled = claimed.map((run) => ({
    id: run.id,
    fence: run.fence,
    startedAt: Date.now(),
    outcome: { kind: "completed", result: undefined } as const,
    add: undefined,
    claimed: run,
  }));
  return { path, end: async (other) => void (await other.step(stepOf(2, settled))) };
}

function stepOf(request: number, settled: Parameters<StorageContract["step"]>[0]["settled"]) {
  const claim = settled.length > 0 ? undefined : { begin: 20, ahead: 0, lease: 3_600_000 };
  return {
    queue: "default",
    owner: "elsewhere",
    request,
    tasks: Object.keys(tasks),
    settled,
    begun: [],
    claim,
  };
}

/** Numbers below 1, the same for the same seed. */
function randomOf(seed: number): () => number {
  let state = Math.imul(seed + 1, 2_654_435_761) >>> 0;
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32;
    return state / 2 ** 32;
  };
}

type Row = Readonly<Record<string, unknown>>;

/** What makes the id of a job, and its queue: another job would be meant, or none, and only its lease ends its run. */
const BEYOND = new Set(["key", "queue", "random"]);

/** Writes over one column of a job that waits; answers which, and the row. */
function mutate(path: string, seed: number): { readonly what: string; readonly row: Row } {
  const random = randomOf(seed);
  const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)] as T;
  const file = new Database(path).defaultSafeIntegers(true);
  try {
    const rows = file.prepare("SELECT * FROM taskq_jobs WHERE state < 4").all() as Row[];
    const row = pick(rows);
    const column = pick(Object.keys(row).filter((name) => !BEYOND.has(name)));
    const bytes = Buffer.from("00ff7b", "hex");
    const fixed = [
      "x",
      "",
      0n,
      -1n,
      1n,
      3n,
      7n,
      9n * 10n ** 18n,
      -(2n ** 63n),
      1.5,
      Infinity,
      bytes,
      "{}",
      null,
    ];
    const value = random() < 0.7 ? pick(fixed) : random() < 0.5 ? pick(rows)[column] : row["key"];
    try {
      file.prepare(`UPDATE taskq_jobs SET ${column} = ? WHERE key = ?`).run(value, row["key"]);
    } catch {
      // The table has a say in some columns: they cannot be empty.
    }
    return { what: `${column} of ${String(row["task"])} is ${String(value)}`, row };
  } finally {
    file.close();
  }
}

/** Jobs that are not final, but the one that was written over and those of flows. */
function heldUp(path: string, { key }: Row): readonly unknown[] {
  const file = new Database(path, { readonly: true });
  try {
    return file
      .prepare(
        "SELECT task, state, gate, reason FROM taskq_jobs WHERE state < 5 AND key <> ? AND trunk IS NULL AND task NOT IN ('sum', '')",
      )
      .all(key);
  } finally {
    file.close();
  }
}

const SEEDS = Number(process.env["TASKQ_MUTATIONS"] ?? 60);
const AT_ONCE = 10;

test.each(Array.from({ length: SEEDS / AT_ONCE }, (_, index) => ({ from: index * AT_ONCE })))(
  "no other job is lost, run twice or held up by a row that is written over, from seed $from on",
  async ({ from }) => {
    const { path, end } = await prepare();
    for (let seed = from; seed < from + AT_ONCE; seed += 1) {
      const copy = `${path}-${seed}.db`;
      copyFileSync(path, copy);
      const { what, row } = mutate(copy, seed);
      ran.clear();
      const storage = sqliteStorage({ path: copy });
      const worker = createQueue({ storage, tasks, immediate: true });
      afterTest(() => worker.close());
      await advance(worker, 1);
      await end(storage as unknown as StorageContract);
      await advance(worker, "1h");
      const told: unknown[] = [];
      const tell = (error: unknown): void => void told.push((error as { code?: unknown }).code);
      const ids = new Set([...ran.keys(), "own-0"]);
      for (const id of ids) {
        await worker.result(plain, id).info().catch(tell);
        await worker.why(id).catch(tell);
      }
      await worker.counts({ by: "task" }).catch(tell);
      expect({ what, told: told.filter((code) => !String(code).startsWith("TASKQ_")) }).toEqual({
        what,
        told: [],
      });
      expect({ what, held: heldUp(copy, row) }).toEqual({ what, held: [] });
      expect({ what, twice: [...ran.values()].filter((times) => times > 1).length }).toEqual({
        what,
        twice: 0,
      });
    }
  },
);
