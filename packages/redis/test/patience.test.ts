/** Whoever names how long to wait waits no longer, also where the server takes calls and answers none. */
import { createQueue, ResultTimeoutError, task } from "@taskq/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { redisStorage } from "../src/index.js";
import { serverBinary } from "./servers/binary.js";
import { startRedisServer, type RedisServer } from "./servers/redis-server.js";
import { afterTest } from "./support/closing.js";

const work = task("work", async () => 1);
let server: RedisServer;

/** Each of its calls may take much longer than anybody here waits. */
function queueOfTest() {
  const queue = createQueue({ storage: redisStorage({ url: server.url, timeout: "30s" }), tasks: { work } });
  afterTest(() => queue.close());
  return queue;
}

/** Until the test is over; to be called once its queues are made, which are closed after that. */
function freeze(): void {
  server.pause();
  afterTest(() => server.resume());
}

async function within(limit: number, waiting: Promise<unknown>): Promise<unknown> {
  const began = performance.now();
  const reason: unknown = await waiting.then(
    () => "answered",
    (error: unknown) => error,
  );
  expect(performance.now() - began).toBeLessThan(limit);
  return reason;
}

describe.skipIf(serverBinary() === undefined)("while the server is frozen", () => {
  beforeAll(async () => {
    server = await startRedisServer();
  });
  afterAll(() => server.stop());

  test("a wait ends in its time, also one that opens the queue", async () => {
    const [first, second] = [queueOfTest(), queueOfTest()];
    freeze();
    const wait = first.result(work, "id").wait({ timeout: "200ms" });
    expect(await within(5_000, wait)).toBeInstanceOf(ResultTimeoutError);
    const signal = AbortSignal.timeout(200);
    expect(await within(5_000, second.result(work, "id").wait({ signal }))).toBe(signal.reason);
  });

  test("a lock and a limit are waited for in their time, and no longer than their signal says", async () => {
    const [queue, other] = [queueOfTest(), queueOfTest()];
    await queue.counts();
    freeze();
    const timeout = "200ms";
    const limit = { max: 1, per: "1s" } as const;
    expect(await within(5_000, queue.lock("a", { timeout }).acquire())).toMatchObject({
      code: "TASKQ_LOCKED",
    });
    expect(await within(5_000, queue.limit("a", { ...limit, timeout }).acquire())).toMatchObject({
      code: "TASKQ_LIMITED",
    });
    expect(await within(5_000, other.lock("a", { timeout }).acquire())).toMatchObject({
      code: "TASKQ_LOCKED",
    });
    const signal = AbortSignal.timeout(200);
    expect(await within(5_000, queue.lock("b", { signal }).acquire())).toBe(signal.reason);
    expect(await within(5_000, queue.limit("b", { ...limit, signal }).acquire())).toBe(signal.reason);
  });

  test("a place in a line that was given up while the server was frozen keeps nobody waiting", async () => {
    const queue = queueOfTest();
    const held = await queue.lock("a").acquire();
    server.pause();
    await within(5_000, queue.lock("a", { timeout: "100ms" }).acquire());
    server.resume();
    await held[Symbol.asyncDispose]();
    expect(await queue.lock("a", { timeout: "10s" }).run(() => "it is free")).toBe("it is free");
  });
});

describe.skipIf(serverBinary() === undefined)("a lock that cannot be given back", () => {
  test.each(["throws", "answers"])("what is done under it %s as it does otherwise", async (how) => {
    const lost = await startRedisServer();
    afterTest(() => lost.stop());
    const lines: string[] = [];
    const warn = (_: unknown, message?: string): void => void lines.push(message ?? "");
    const logger = { debug() {}, info() {}, warn, error() {} };
    const storage = redisStorage({ url: lost.url, timeout: "500ms" });
    const queue = createQueue({ storage, tasks: { work }, logger });
    afterTest(() => queue.close());
    const run = queue.lock("a").run(async () => {
      await lost.kill();
      if (how === "throws") throw new Error("throws");
      return "answers";
    });
    expect(await run.catch((error: Error) => error.message)).toBe(how);
    expect(lines).toEqual([expect.stringContaining("could not be given back")]);
  });
});
