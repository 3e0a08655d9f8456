/** What a job costs a server, for reference/redis-sizing.md: printed with `TASKQ_REDIS_SIZING=1`, and else not run. */
import { describe, expect, test } from "vitest";
import { ask } from "./servers/ask.js";
import { startRedisServer } from "./servers/redis-server.js";
import { afterTest } from "./support/closing.js";
import { alone, newJob, opened, QUEUE } from "./support/spread.js";
import { newPrefix } from "./support/store.js";

const JOBS = 20_000;
const RESULT = new Uint8Array(20).fill(98);

function number(text: string, name: string): number {
  return Number(new RegExp(`^${name}:([0-9.]+)`, "m").exec(text)?.[1] ?? 0);
}

function round(value: number): string {
  return value.toFixed(1);
}

/** User and system time of the server's main thread in microseconds, and its memory in bytes. */
async function spent(port: number): Promise<{ readonly time: number; readonly memory: number }> {
  const cpu = await ask(port, [["INFO", "cpu"]]);
  const memory = await ask(port, [["INFO", "memory"]]);
  const seconds = number(cpu, "used_cpu_user_main_thread") + number(cpu, "used_cpu_sys_main_thread");
  return { time: seconds * 1e6, memory: number(memory, "used_memory") };
}

interface Figures {
  readonly partitions: number;
  readonly batch: number;
  /** Bytes of the body. */
  readonly size: number;
  /** Microseconds a job: stored in calls of so many, and claimed and settled so many at a time. */
  readonly enqueue: number;
  readonly run: number;
  /** Bytes a job. */
  readonly waiting: number;
  readonly completed: number;
}

async function measured(partitions: number, batch: number, size = 100): Promise<Figures> {
  const body = new Uint8Array(size).fill(97);
  const server = await startRedisServer({ arguments: ["--appendonly", "yes"] });
  afterTest(() => server.stop());
  const storage = await opened({ url: server.url, keyPrefix: newPrefix(), partitions });
  const count = batch === 1 ? JOBS / 4 : JOBS;
  const before = await spent(server.port);
  for (let from = 0; from < count; from += batch) {
    const flows = Array.from({ length: batch }, () => alone(newJob({ body })));
    await storage.enqueue({ queue: QUEUE, flows });
  }
  const stored = await spent(server.port);
  const step = { queue: QUEUE, owner: "owner", tasks: ["work"], begun: [] };
  let settled: Parameters<typeof storage.step>[0]["settled"] = [];
  for (let request = 1, left = count; left > 0 || settled.length > 0; request += 1) {
    const claim = { begin: batch, ahead: 0, lease: 30_000 };
    const { claimed } = await storage.step({ ...step, request, settled, claim });
    left -= claimed.length;
    const outcome = { kind: "completed", result: RESULT } as const;
    settled = claimed.map((job) => ({
      id: job.id,
      fence: job.fence,
      startedAt: Date.now(),
      outcome,
      add: undefined,
      claimed: job,
    }));
  }
  const done = await spent(server.port);
  return {
    partitions,
    batch,
    size,
    enqueue: (stored.time - before.time) / count,
    run: (done.time - stored.time) / count,
    waiting: (stored.memory - before.memory) / count,
    completed: (done.memory - before.memory) / count,
  };
}

describe.runIf(process.env["TASKQ_REDIS_SIZING"] === "1")("sizing", () => {
  test("what a job costs", { timeout: 600_000 }, async () => {
    const rows: Figures[] = [];
    for (const partitions of [1, 3, 8]) {
      for (const batch of [1, 10, 50, 200]) rows.push(await measured(partitions, batch));
    }
    for (const size of [1_000, 10_000]) rows.push(await measured(1, 50, size));
    const lines = rows.map(({ partitions, batch, size, enqueue, run, waiting, completed }) =>
      [partitions, batch, size, round(enqueue), round(run), Math.round(waiting), Math.round(completed)].join(
        " | ",
      ),
    );
    const head =
      "partitions | at a time | body | us to store | us to claim and settle | bytes waiting | bytes completed";
    process.stdout.write(`${[head, ...lines].join("\n")}\n`);
    expect(rows.every(({ run }) => run > 0)).toBe(true);
  });
});
