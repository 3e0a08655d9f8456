/** The feed across processes that are killed: readers, consumers and producers. */
import { fork } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createQueue, task, type Queue } from "@taskq/core";
import { engineOf } from "@taskq/core/engine";
import { sqliteStorage } from "@taskq/sqlite";
import { expect, onTestFinished, test } from "vitest";
import { ChildWorker } from "./child-worker.js";
import { closing } from "./serving.js";
import { sleep, temporaryFolder, until } from "./support.js";

const script = fileURLToPath(new URL("./fixtures/feed-role.mjs", import.meta.url));
const slow = task("slow", async () => {});

interface Role {
  readonly role: "reader" | "producer";
  readonly path: string;
  /** Where a reader writes down what it hears. */
  readonly log: string;
  /** Events after which a reader saves its cursor. */
  readonly every: number;
}

interface Child {
  readonly ready: Promise<void>;
  readonly kill: () => Promise<void>;
}

function start(about: Role): Child {
  const child = fork(script, [JSON.stringify(about)]);
  const ended = new Promise<void>((resolve) => child.on("exit", () => resolve()));
  const ready = new Promise<void>((resolve) => child.on("message", () => resolve()));
  onTestFinished(() => void child.kill("SIGKILL"));
  return {
    ready,
    kill: async () => {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

interface Line {
  readonly cursor: string;
  readonly number: number;
  readonly text: string;
}

/** What readers wrote down; the last line of one that was killed may be cut off, and is told again. */
function linesOf(log: string): readonly Line[] {
  // Its reader has yet to begin.
  if (!existsSync(log)) return [];
  return readFileSync(log, "utf8")
    .split("\n")
    .filter((line) => /^\S+ \S+ \S+$/.test(line))
    .map((text) => {
      const [cursor = ""] = text.split(" ");
      return { cursor, number: Number(cursor.split(".")[1]), text };
    });
}

async function finalJobs(queue: Queue): Promise<readonly string[]> {
  const jobs: string[] = [];
  for await (const { id, state } of queue.jobs()) jobs.push(`${state} ${id}`);
  return jobs;
}

/** All that is in the feed by now. */
async function wholeFeed(queue: Queue, count: number): Promise<readonly string[]> {
  const lines: string[] = [];
  for await (const { cursor, id, type } of queue.events({ from: "start" })) {
    lines.push(`${cursor} ${type} ${id}`);
    if (lines.length === count) break;
  }
  return lines;
}

test("a reader that is killed and goes on misses no job that ended and hears none twice, whoever else is killed", async () => {
  const folder = await temporaryFolder();
  const path = join(folder, "jobs.db");
  const queue = closing(createQueue({ storage: sqliteStorage({ path }), tasks: { slow } }));
  // Two readers, one of which saves its cursor seldom.
  const logs = [
    { log: join(folder, "often"), every: 1 },
    { log: join(folder, "seldom"), every: 40 },
  ] as const;
  const read = (about: (typeof logs)[number]): Child => start({ role: "reader", path, ...about });
  // The feed is there before the first job ends.
  const engine = engineOf(queue);
  await engine.open();
  await engine.storage.events({ queue: engine.name, from: "now", limit: 1 });
  let readers = logs.map(read);
  await Promise.all(readers.map(({ ready }) => ready));
  let producer = start({ role: "producer", path, ...logs[0] });
  const work = (): ChildWorker => new ChildWorker(path, { workers: 4, lease: 500 });
  let workers = [work(), work()];
  const heard = [0, 0];
  for (let round = 0; round < 8; round += 1) {
    await sleep(250 + 37 * round);
    // On a machine that has much else to do, nobody would live long enough.
    await until(async () => (await queue.counts()).completed >= 40 * (round + 1));
    const place = round % 2 === 0 ? 0 : 1;
    // So it has heard some that it has not saved, mostly.
    await until(() => linesOf(logs[place].log).length > (heard[place] ?? 0));
    await readers[place]?.kill();
    heard[place] = linesOf(logs[place].log).length;
    readers = readers.map((reader, index) => (index === place ? read(logs[place]) : reader));
    if (round % 3 === 1) {
      workers[0]?.process.kill("SIGKILL");
      workers = [...workers.slice(1), work()];
    }
    if (round % 3 === 2) {
      await producer.kill();
      producer = start({ role: "producer", path, ...logs[0] });
    }
  }
  await producer.kill();
  const unfinished = async (): Promise<number> => {
    const { blocked, scheduled, ready, parked, active } = await queue.counts();
    return blocked + scheduled + ready + parked + active;
  };
  await until(async () => (await unfinished()) === 0, 60_000);
  const jobs = await finalJobs(queue);
  const whole = await wholeFeed(queue, jobs.length);
  await until(() => logs.every(({ log }) => linesOf(log).at(-1)?.text === whole.at(-1)));
  expect(jobs.length).toBeGreaterThan(300);
  expect(whole.map((line) => line.split(" ").slice(1).join(" ")).toSorted()).toEqual(jobs.toSorted());
  for (const { log } of logs) {
    const lines = linesOf(log);
    const distinct = [...new Map(lines.map((line) => [line.cursor, line])).values()];
    expect(distinct.map(({ number }) => number)).toEqual(distinct.map((_, index) => index + 1));
    expect(distinct.map(({ text }) => text)).toEqual(whole);
    // Told again, word for word.
    expect(new Set(lines.map(({ text }) => text)).size).toBe(distinct.length);
  }
  expect(linesOf(logs[1].log).length).toBeGreaterThan(jobs.length);
}, 120_000);

test("a reader in another process hears of a job within the time that a wake takes, not a poll", async () => {
  const path = join(await temporaryFolder(), "jobs.db");
  const queue = closing(createQueue({ storage: sqliteStorage({ path }), tasks: { slow } }));
  const child = new ChildWorker(path);
  await child.heard("ready");
  const delays: number[] = [];
  const events = queue.events()[Symbol.asyncIterator]();
  for (let count = 0; count < 12; count += 1) {
    const next = events.next();
    await sleep(30);
    const result = await queue.enqueue(slow.job());
    expect((await next).value).toMatchObject({ type: "completed", id: result.id });
    const { finishedAt } = (await result.info()) ?? {};
    delays.push(Date.now() - (finishedAt?.getTime() ?? 0));
  }
  await events.return?.();
  // A look once a second would take half of one on average.
  expect(delays.toSorted((a, b) => a - b)[6]).toBeLessThan(400);
});
