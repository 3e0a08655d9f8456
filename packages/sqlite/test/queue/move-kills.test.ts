/** The process that moves a queue is killed over and over: every job is there once, and runs once. */
import { fork } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { cancelMove, createQueue, group, moveQueue, task, type Queue, type Stats } from "@taskq/core";
import { engineOf, InlineRunner } from "@taskq/core/engine";
import { expect, test } from "vitest";
import { sqliteStorage } from "../../src/index.js";
import { afterTest, temporaryFolder } from "../support.js";

const program = fileURLToPath(new URL("../move-and-die.js", import.meta.url));
const POINTS = ["before", "during", "after"] as const;
const KILLS = 24;
/** Jobs under a limit, and how many of them it lets start. */
const CALLS = 12;
const STARTED = 5;
/**
 * 60 groups of one that has run and one that waits, with what follows; 340 other jobs; 40 values; a task paused; a limit
 * that is used up. Statistics come to it.
 */
const KEPT = {
  "job blocked": 60,
  "job completed": 60 + STARTED,
  "job waiting": 400 + CALLS - STARTED,
  control: 1,
  edge: 180,
  join: 60,
  start: STARTED,
  value: 40,
};

/** Numbers from 0 up to 1, the same for the same seed: Park and Miller's generator (doi:10.1145/63039.63042). */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

const runs = new Map<string, number>();
const note = (id: string): void => void runs.set(id, (runs.get(id) ?? 0) + 1);
const one = task("one", async (n: number, { id }) => {
  note(id);
  return n;
});
const held = task("held", async (n: number, { id }) => {
  note(id);
  return n;
});
const sum = task("sum", async (numbers: readonly number[], { id }) => {
  note(id);
  return numbers.reduce((total, n) => total + n, 0);
});

const limit = { max: STARTED, per: "2h" } as const;
const limited = task("limited", { limit: { key: "api", ...limit } }, async (n: number, { id }) => {
  note(id);
  return n;
});

function queueAt(path: string): Queue<"one" | "held" | "sum" | "limited"> {
  return createQueue({ storage: sqliteStorage({ path }), tasks: { one, held, sum, limited } });
}

/** Fails if the limit lets anybody start. */
async function expectUsedUp(queue: Queue): Promise<void> {
  const start = queue.limit("api", { ...limit, onLimit: "fail" }).acquire();
  await expect(start).rejects.toMatchObject({ code: "TASKQ_LIMITED" });
}

/** What the statistics tell, but for how long the oldest job has been waiting. */
async function countedBy(queue: Queue): Promise<Pick<Stats, "total" | "tasks" | "minutes">> {
  const { total, tasks, minutes } = await queue.stats({ window: "48h" });
  return { total, tasks, minutes };
}

async function withQueue<T>(
  path: string,
  work: (queue: ReturnType<typeof queueAt>) => Promise<T>,
): Promise<T> {
  const queue = queueAt(path);
  try {
    return await work(queue);
  } finally {
    await queue.close();
  }
}

interface Died {
  readonly code: number | null;
  readonly signal: string | null;
}

/** Moves in a process of its own, which dies at one of its calls if it comes to it. */
function moveInProcess(about: object): Promise<Died> {
  const child = fork(program, [JSON.stringify(about)], { stdio: ["ignore", "ignore", "inherit", "ipc"] });
  afterTest(() => void child.kill("SIGKILL"));
  return new Promise((resolve) => child.on("exit", (code, signal) => resolve({ code, signal })));
}

async function fill(queue: ReturnType<typeof queueAt>): Promise<Filled> {
  await queue.pause(held);
  const chains = Array.from({ length: 60 }, (_, n) => group([one.job(n), held.job(n)]).pipe(sum));
  await queue.enqueueMany(chains);
  await queue.enqueueMany(Array.from({ length: CALLS }, (_, n) => limited.job(n)));
  await new InlineRunner(engineOf(queue)).runDue();
  await queue.enqueueMany(Array.from({ length: 300 }, (_, n) => one.job(n)));
  for (let n = 0; n < 40; n += 1) await queue.enqueue(one.job(n), { id: `named ${n}`, delay: n % 2 });
  for (let n = 0; n < 40; n += 1) await queue.values.set(`value ${n}`, n);
  const counted = await countedBy(queue);
  return { ids: await idsOf(queue), counted, kept: { ...KEPT, stats: await statsRows(queue) } };
}

interface Filled {
  readonly ids: readonly string[];
  readonly counted: Awaited<ReturnType<typeof countedBy>>;
  readonly kept: Readonly<Record<string, number>>;
}

/** One for each task and minute. */
async function statsRows(queue: Queue): Promise<number> {
  const { storage, name } = engineOf(queue);
  return (await storage.stats({ queue: name, since: 0 })).rows.length;
}

async function idsOf(queue: Queue): Promise<readonly string[]> {
  const ids: string[] = [];
  for await (const { id } of queue.jobs()) ids.push(id);
  return ids;
}

test(`a move that is killed ${KILLS} times at random points loses no job and doubles none`, async () => {
  const random = randomNumbers(20_261_121);
  const folder = temporaryFolder();
  let [from, to] = [join(folder, "a.db"), join(folder, "b.db")];
  const { ids, counted, kept } = await withQueue(from, fill);
  expect(ids).toHaveLength(60 * 3 + 300 + 40 + CALLS);
  expect(counted.total.completed).toBe(60 + STARTED);
  const ran = ids.length - (CALLS - STARTED);
  const seen = { kills: 0, moves: 0, cancelled: 0 };
  while (seen.kills < KILLS) {
    const call = 1 + Math.floor(random() * 12);
    const point = POINTS[Math.floor(random() * POINTS.length)];
    const { code, signal } = await moveInProcess({ from, to, call, point });
    expect(signal ?? code).toBe(signal === null ? 0 : "SIGKILL");
    if (signal === "SIGKILL") seen.kills += 1;
    if (signal === "SIGKILL" && random() < 0.15) {
      seen.cancelled += await withQueue(from, (source) =>
        withQueue(to, (target) => takeBack(source, target)),
      );
    }
    if (code === 0) {
      seen.moves += 1;
      [from, to] = [to, from];
      await withQueue(from, expectUsedUp);
    }
  }
  const counts = await withQueue(from, (source) =>
    withQueue(to, async (target) => (await moveQueue(source, target)).counts),
  );
  // Without counts, the last of those that were killed had come to the end.
  expect(counts ?? kept).toEqual(kept);
  await withQueue(to, async (queue) => {
    expect(await idsOf(queue)).toEqual(ids);
    expect(await countedBy(queue)).toEqual(counted);
    await expectUsedUp(queue);
    await queue.resume(held);
    await new Promise((resolve) => setTimeout(resolve, 5));
    await new InlineRunner(engineOf(queue)).runDue();
    expect(await queue.counts()).toMatchObject({ completed: ran, parked: CALLS - STARTED });
    expect((await countedBy(queue)).total.completed).toBe(ran);
    for (let n = 0; n < 40; n += 1) expect(await queue.values.get(`value ${n}`)).toBe(n);
  });
  expect(runs.size).toBe(ran);
  expect([...runs.keys()].every((id) => ids.includes(id))).toBe(true);
  expect([...runs.values()].every((times) => times === 1)).toBe(true);
  expect(seen.moves).toBeGreaterThan(1);
  expect(seen.cancelled).toBeGreaterThan(0);
}, 120_000);

/** Whether the move could be taken back: not once the target has opened. */
async function takeBack(source: Queue, target: Queue): Promise<number> {
  try {
    await cancelMove(source, target);
    await expectUsedUp(source);
    return 1;
  } catch (error) {
    if ((error as { code?: unknown }).code !== "TASKQ_MOVED") throw error;
    return 0;
  }
}
