import { setTimeout as sleep } from "node:timers/promises";
import { createConsumer } from "@taskq/consumer";
import { createQueue, every, group, periodic, task } from "@taskq/core";
import { afterEach, describe, expect, test, vi } from "vitest";
import { redisStorage } from "../src/index.js";
import { ServerClock } from "../src/server-clock.js";
import { ask } from "./servers/ask.js";
import { serverBinary } from "./servers/binary.js";
import { serverOfTest } from "./support/callers.js";
import { afterTest } from "./support/closing.js";

const HOUR = 3_600_000;
const SERVER = Date.UTC(2030, 0, 1);

afterEach(() => {
  vi.restoreAllMocks();
});

/** Has the clock of this machine wrong by so much from now on. */
function wallClockIsWrongBy(milliseconds: number): void {
  const { now } = Date;
  vi.spyOn(Date, "now").mockImplementation(() => now.call(Date) + milliseconds);
}

describe("the time of a server", () => {
  test("is that of this machine until it has been asked for", async () => {
    let asked = 0;
    const clock = new ServerClock(async () => ((asked += 1), SERVER));
    expect(Math.abs(clock.now() - Date.now())).toBeLessThan(1_000);
    void clock.askAgain();
    expect(asked).toBe(0);
    await clock.open();
    expect(clock.now() - SERVER).toBeLessThan(10_000);
    expect(clock.now()).toBeGreaterThanOrEqual(SERVER);
  });

  test("is never ahead, and not moved by an answer that is read late", async () => {
    const began = performance.now();
    const serverTime = (): number => SERVER + performance.now() - began;
    let late = 0;
    const clock = new ServerClock(async () => {
      const time = serverTime();
      await sleep(late);
      return time;
    });
    await clock.open();
    late = 300;
    void clock.askAgain();
    await sleep(400);
    const now = clock.now();
    expect(now).toBeLessThanOrEqual(serverTime());
    expect(now).toBeGreaterThan(serverTime() - 250);
  });

  test("is that of another server once that is asked", async () => {
    let server = SERVER;
    const clock = new ServerClock(async () => server);
    await clock.open();
    server = SERVER - HOUR;
    void clock.askAgain();
    await vi.waitFor(() => expect(clock.now()).toBeLessThan(SERVER - HOUR / 2));
    server = SERVER + HOUR;
    void clock.askAgain();
    await vi.waitFor(() => expect(clock.now()).toBeGreaterThanOrEqual(SERVER + HOUR));
  });

  test("is asked for again when the clock of this machine is set", async () => {
    let asked = 0;
    const clock = new ServerClock(async () => ((asked += 1), SERVER));
    await clock.open();
    const before = asked;
    clock.now();
    expect(asked).toBe(before);
    wallClockIsWrongBy(-HOUR);
    await vi.waitFor(
      () => {
        expect(clock.now()).toBeGreaterThanOrEqual(SERVER);
        expect(asked).toBe(before + 1);
      },
      { timeout: 5_000 },
    );
    clock.now();
    expect(asked).toBe(before + 1);
  });

  test("is waited for until it comes or the signal aborts, and never rejects", async () => {
    const clock = new ServerClock(async () => {
      throw new Error("away");
    });
    await clock.open();
    const from = clock.now();
    await clock.until(from + 30);
    expect(clock.now()).toBeGreaterThanOrEqual(from + 30);
    const controller = new AbortController();
    const waiting = clock.until(from + HOUR, controller.signal);
    controller.abort();
    await waiting;
    await clock.until(from + HOUR, controller.signal);
  });
});

describe.skipIf(serverBinary() === undefined)("a server whose clock is set back", () => {
  test.each(["one job", "a batch", "a flow"])(
    "holds up %s that is enqueued no longer than its delay",
    async (what) => {
      const server = await serverOfTest();
      const work = task("work", async () => {});
      const queue = createQueue({ storage: redisStorage({ url: server.url }), tasks: { work } });
      const consumer = createConsumer(queue);
      afterTest(async () => {
        await consumer.stop();
        await queue.close();
      });
      const enqueue = async () => {
        if (what === "a batch") return queue.enqueueMany([work.job(), work.job()]);
        return [await (what === "one job" ? queue.enqueue(work.job()) : queue.enqueue(group([work.job()])))];
      };
      await enqueue();
      serverIsSetBackBy(8_000);
      const results = await enqueue();
      const late = await queue.enqueue(work.job(), { delay: "1m" });
      await consumer.start();
      for (const result of results) await result.wait({ timeout: "4s" });
      expect(await late.state()).toBe("scheduled");
    },
  );
});

/** To this process it looks as if all but the server went on for so long. */
function serverIsSetBackBy(milliseconds: number): void {
  const now = performance.now.bind(performance);
  vi.spyOn(performance, "now").mockImplementation(() => now() + milliseconds);
  wallClockIsWrongBy(milliseconds);
}

/** A queue with a consumer, on a server of its own. */
async function serving() {
  const server = await serverOfTest();
  const work = task("work", { retries: 1, backoff: 100 }, async (_: undefined, { attempt }) => {
    if (attempt === 1) throw new Error("again");
  });
  const queue = createQueue({ storage: redisStorage({ url: server.url }), tasks: { work } });
  const consumer = createConsumer(queue);
  afterTest(async () => {
    await consumer.stop();
    await queue.close();
  });
  await consumer.start();
  return { port: server.port, queue, work };
}

describe.skipIf(serverBinary() === undefined)("a server whose clock is set back while it is used", () => {
  /** Less than after which it is asked for anyway. */
  const BACK = 6_000;

  test("puts no delay and no retry off, once a consumer has looked for jobs", async () => {
    const { queue, work } = await serving();
    serverIsSetBackBy(BACK);
    await sleep(1_500);
    const result = await queue.enqueue(work.job(), { delay: 100 });
    await expect(result.wait({ timeout: "3s" })).resolves.toBeUndefined();
  });

  test("is not asked all the time by whoever waits for a limit", async () => {
    const { port, queue } = await serving();
    const limit = queue.limit("starts", { max: 1, per: "3s" });
    await limit.acquire();
    serverIsSetBackBy(BACK);
    const before = await scriptsOf(port);
    const waiting = limit.acquire();
    await sleep(1_000);
    expect((await scriptsOf(port)) - before).toBeLessThan(100);
    await waiting;
  });

  test("takes no lock away", async () => {
    const { queue } = await serving();
    serverIsSetBackBy(BACK);
    await using held = await queue.lock("name", { ttl: "2s" }).acquire();
    await sleep(300);
    expect(held.signal.aborted).toBe(false);
  });
});

async function scriptsOf(port: number): Promise<number> {
  const stats = await ask(port, [["INFO", "commandstats"]]);
  return Number(/^cmdstat_evalsha:calls=(\d+)/m.exec(stats)?.[1]);
}

describe.skipIf(serverBinary() === undefined)("a process whose clock is wrong", () => {
  test.each([
    ["an hour ahead", HOUR],
    ["an hour behind", -HOUR],
  ])(
    "by %s fires schedules, keeps to delays and waits for limits by the server's",
    { timeout: 60_000 },
    async (_, skew) => {
      const server = await serverOfTest();
      wallClockIsWrongBy(skew);
      let beats = 0;
      const beat = periodic("beat", every("500ms"), async () => {
        beats += 1;
      });
      const work = task("work", async () => performance.now());
      const queue = createQueue({ storage: redisStorage({ url: server.url }), tasks: { beat, work } });
      const consumer = createConsumer(queue);
      afterTest(async () => {
        await consumer.stop();
        await queue.close();
      });
      await consumer.start();
      const limit = queue.limit("starts", { max: 1, per: "500ms", timeout: "30s" });
      await limit.acquire();
      const enqueued = performance.now();
      const result = await queue.enqueue(work.job(), { delay: 1_000 });
      await limit.acquire();
      const ran = await result.wait({ timeout: "30s" });
      expect(ran - enqueued).toBeGreaterThan(900);
      await vi.waitFor(() => expect(beats).toBeGreaterThan(1), { timeout: 20_000 });
    },
  );

  test.each([
    ["did it, and is behind", -72 * HOUR, 0],
    ["asks, and is ahead", 0, 72 * HOUR],
  ])("is told what was done in the minutes of the server: one that %s", async (_, atWork, asking) => {
    const server = await serverOfTest();
    const work = task("work", async () => {});
    const open = () => {
      const queue = createQueue({ storage: redisStorage({ url: server.url }), tasks: { work } });
      afterTest(() => queue.close());
      return queue;
    };
    wallClockIsWrongBy(atWork);
    const queue = open();
    const consumer = createConsumer(queue);
    await consumer.start();
    await (await queue.enqueue(work.job())).wait();
    await consumer.stop();
    vi.restoreAllMocks();
    wallClockIsWrongBy(asking);
    expect((await open().stats()).tasks["work"]).toMatchObject({ completed: 1 });
  });

  test(
    "ahead does not ask all the time for what is due by its clock alone",
    { timeout: 30_000 },
    async () => {
      const server = await serverOfTest();
      const at = new Date(Date.now() + HOUR / 2);
      wallClockIsWrongBy(HOUR);
      const beat = periodic("beat", every("30m"), async () => {});
      const work = task("work", async () => {});
      const queue = createQueue({ storage: redisStorage({ url: server.url }), tasks: { beat, work } });
      const consumer = createConsumer(queue);
      afterTest(async () => {
        await consumer.stop();
        await queue.close();
      });
      await queue.enqueue(work.job(), { at });
      await consumer.start();
      await sleep(500);
      const before = await scriptsOf(server.port);
      await sleep(2_000);
      expect((await scriptsOf(server.port)) - before).toBeLessThan(40);
    },
  );
});
