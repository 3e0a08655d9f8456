/** Where a test stands in for a page (jsdom, happy-dom), some globals are no longer those of Node. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runInNewContext } from "node:vm";
import { createConsumer, drain } from "@taskq/consumer";
import {
  compressed,
  createQueue,
  group,
  jsonSerializer,
  task,
  type Serializer,
  type Storage,
} from "@taskq/core";
import { memoryStorage } from "@taskq/memory";
import { redisStorage } from "@taskq/redis";
import { hasTestServer, startTestServer } from "@taskq/redis-servers";
import { signedSerializer } from "@taskq/signed-serializer";
import { sqliteStorage } from "@taskq/sqlite";
import { afterEach, describe, expect, onTestFinished, test, vi } from "vitest";

const stores: Readonly<Record<string, () => Promise<Storage>>> = {
  memory: async () => memoryStorage(),
  SQLite: async () => {
    const folder = await mkdtemp(join(tmpdir(), "taskq-page-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    return sqliteStorage({ path: join(folder, "jobs.db") });
  },
  Redis: async () => {
    const server = await startTestServer();
    onTestFinished(() => server.stop());
    return redisStorage({ url: server.url, keyPrefix: server.keyPrefix });
  },
};
const places = Object.keys(stores).filter((name) => name !== "Redis" || hasTestServer);

const double = task("double", async (n: number) => n * 2);
const sum = task("sum", async (numbers: number[]) => numbers.reduce((total, n) => total + n, 0));
const bytes = task("bytes", async (size: number) => Buffer.alloc(size, "x"));
const patient = task("patient", { timeout: 50 }, async (_: void, { signal }) => {
  await new Promise((resolve) => {
    signal.addEventListener("abort", resolve);
  });
});

afterEach(() => {
  vi.unstubAllGlobals();
});

describe.each(places)("on %s", (place) => {
  test.each<[string, () => Serializer]>([
    ["plain messages", jsonSerializer],
    ["compressed ones", () => compressed(jsonSerializer(), { over: 8 })],
    ["signed ones", () => signedSerializer({ secret: new Uint8Array(32) })],
  ])("%s are read where the bytes of Node are of another class", async (_, serializer) => {
    const storage = await stores[place]!();
    // As jsdom does.
    vi.stubGlobal("Uint8Array", runInNewContext("Uint8Array"));
    await using queue = createQueue({ storage, tasks: { double, sum, bytes }, serializer: serializer() });
    await using consumer = createConsumer(queue);
    await consumer.start();
    const chord = group([1, 2].map((n) => double.job(n).pipe(double))).pipe(sum);
    expect(await (await queue.enqueue(chord)).wait({ timeout: "10s" })).toBe(12);
    const large = await queue.enqueue(bytes.job(100_000));
    expect(await large.wait({ timeout: "10s" })).toHaveLength(100_000);
  });

  test("a handler has a signal where signals are not those of Node", async () => {
    const storage = await stores[place]!();
    // As happy-dom does.
    vi.stubGlobal("AbortController", ForeignController);
    await using queue = createQueue({ storage, tasks: { patient } });
    await using consumer = createConsumer(queue);
    await consumer.start();
    const late = await queue.enqueue(patient.job());
    await expect(late.wait({ timeout: "10s" })).rejects.toThrow("longer than its timeout of 50 ms");
  });
});

const OF_TIMERS = ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "Date"] as const;

describe.each(places)("on %s", (place) => {
  test.each<[string, () => unknown]>([
    ["all timers are fake", () => vi.useFakeTimers()],
    // As older versions of Vitest do, and `mock.timers` of Node.
    [
      "timers are, and no clock but the wall's",
      () => vi.useFakeTimers({ toFake: [...OF_TIMERS, "setImmediate", "clearImmediate"] }),
    ],
    // As the page of Jest has it.
    [
      "there is no setImmediate",
      () => {
        vi.stubGlobal("setImmediate", undefined);
        vi.stubGlobal("clearImmediate", undefined);
      },
    ],
  ])("where %s, what tests do goes on by itself", async (_, pretend) => {
    const storage = await stores[place]!();
    await using queue = createQueue({ storage, tasks: { double } });
    pretend();
    onTestFinished(() => void vi.useRealTimers());
    const results = await queue.enqueueMany(Array.from({ length: 1_200 }, (__, n) => double.job(n)));
    const waiting = results[7]?.wait();
    expect(await drain(queue)).toMatchObject({ completed: 1_200 });
    expect(await waiting).toBe(14);
    let listed = 0;
    for await (const { state } of queue.jobs()) listed += state === "completed" ? 1 : 0;
    expect(listed).toBe(1_200);
    for (let turn = 0; turn < 100; turn += 1) expect(await results[turn]?.state()).toBe("completed");
    expect((await queue.stats()).total).toMatchObject({ completed: 1_200 });
    await queue.flush({ confirm: queue.name });
    expect(await queue.counts()).toMatchObject({ completed: 0 });
  });
});

/** Its signal is no `EventTarget` of Node. */
class ForeignController {
  readonly signal = new ForeignSignal();

  abort(reason: unknown): void {
    this.signal.reason = reason;
    this.signal.aborted = true;
    for (const listener of this.signal.listeners) listener.call(this.signal);
  }
}

type AbortListener = (this: ForeignSignal) => void;

class ForeignSignal {
  readonly listeners = new Set<AbortListener>();
  aborted = false;
  reason: unknown;

  addEventListener(_: "abort", listener: AbortListener): void {
    this.listeners.add(listener);
  }

  removeEventListener(_: "abort", listener: AbortListener): void {
    this.listeners.delete(listener);
  }
}
