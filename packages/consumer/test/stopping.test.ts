import { createQueue, task, type Storage } from "@taskq/core";
import type { StorageContract } from "@taskq/core/storage";
import { getEventListeners } from "node:events";
import { describe, expect, onTestFinished, test } from "vitest";
import { createConsumer } from "../src/index.js";
import { closing, serve } from "./serving.js";
import { Gate, only, recordEvents, recordingLogger, sleep, storages, until } from "./support.js";

/** How many keep the process alive. */
function timers(): number {
  return process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;
}

function hang(): Promise<void> {
  return new Promise(() => {});
}

describe.each(storages)("on %s", (_name, makeStorage) => {
  test("a stop waits for what has begun, settles it, and begins nothing more", async () => {
    const [begun, finish] = [new Gate(), new Gate()];
    let runs = 0;
    const work = task("work", async () => {
      runs += 1;
      begun.open();
      await finish.opened;
      return runs;
    });
    const queue = closing(createQueue({ storage: await makeStorage(), tasks: { work } }));
    const [first] = await queue.enqueueMany([work.job(), work.job(), work.job()]);
    const consumer = await serve(queue, { workers: 1 });
    await begun.opened;
    const stopped = consumer.stop();
    expect(consumer.stop()).toBe(stopped);
    await until(() => consumer.health().state === "stopping");
    await sleep(30);
    finish.open();
    await stopped;
    expect(consumer.health()).toMatchObject({ state: "stopped", busy: 0 });
    expect(await first?.peek()).toEqual({ state: "completed", value: 1 });
    expect(await queue.counts()).toMatchObject({ completed: 1, ready: 2, active: 0 });
    expect(runs).toBe(1);
  });

  test("a handler that outlasts the grace is aborted, and its job goes back uncounted", async () => {
    let reason: unknown;
    const begun = new Gate();
    const work = task("work", async (_: void, { signal }) => {
      begun.open();
      await new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => {
          reason = signal.reason;
          reject(signal.reason as Error);
        });
      });
    });
    const queue = closing(createQueue({ storage: await makeStorage(), tasks: { work } }));
    const events = recordEvents(queue);
    const result = await queue.enqueue(work.job());
    const consumer = await serve(queue);
    await begun.opened;
    await consumer.stop({ grace: 50 });
    expect(reason).toMatchObject({ code: "TASKQ_SHUTDOWN" });
    expect(only(events, "interrupted")).toHaveLength(1);
    expect(await result.info()).toMatchObject({ state: "ready" });
    expect(await queue.counts()).toMatchObject({ ready: 1, active: 0, failed: 0 });
  });

  test("a handler that does not heed its signal is given up after a moment, and its late end is nobody's", async () => {
    const [begun, finish] = [new Gate(), new Gate()];
    const ends: string[] = [];
    const work = task("work", async () => {
      begun.open();
      await finish.opened;
      ends.push("late");
    });
    const queue = closing(createQueue({ storage: await makeStorage(), tasks: { work } }));
    const events = recordEvents(queue);
    await queue.enqueue(work.job());
    const consumer = await serve(queue);
    await begun.opened;
    const before = performance.now();
    await consumer.stop({ grace: 0 });
    expect(performance.now() - before).toBeLessThan(2_000);
    expect(await queue.counts()).toMatchObject({ ready: 1, active: 0 });
    finish.open();
    await until(() => ends.length === 1);
    await sleep(20);
    expect(await queue.counts()).toMatchObject({ ready: 1, completed: 0 });
    expect(events.map(({ type }) => type)).toEqual(["enqueued", "started", "interrupted"]);
  });

  test("a handler does not begin once its job was given back, as where its resource comes late", async () => {
    const [asked, goOn] = [new Gate(), new Gate()];
    let runs = 0;
    const work = task("work", async () => void (runs += 1));
    const queue = closing(createQueue({ storage: await makeStorage(), tasks: { work } }));
    const consumer = await serve(queue, {
      resources: { connection: () => (asked.open(), goOn.opened.then(() => ({ number: 1 }))) },
    });
    const result = await queue.enqueue(work.job());
    await asked.opened;
    await consumer.stop({ grace: 0 });
    goOn.open();
    await sleep(50);
    expect([await result.state(), runs]).toEqual(["ready", 0]);
  });

  test("a second stop with less grace shortens the first", async () => {
    const begun = new Gate();
    const work = task("work", async (_: void, { signal }) => {
      begun.open();
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    });
    const queue = closing(createQueue({ storage: await makeStorage(), tasks: { work } }));
    await queue.enqueue(work.job());
    const consumer = await serve(queue, { grace: "1h" });
    await begun.opened;
    const before = performance.now();
    const first = consumer.stop();
    await sleep(20);
    const second = consumer.stop({ grace: 0 });
    expect(second).toBe(first);
    await second;
    expect(performance.now() - before).toBeLessThan(2_000);
  });

  test("an interrupted at-most-once job ends failed and does not run again", async () => {
    const begun = new Gate();
    const once = task("once", { delivery: "at-most-once" }, async () => {
      begun.open();
      await new Promise(() => {});
    });
    const queue = closing(createQueue({ storage: await makeStorage(), tasks: { once } }));
    const result = await queue.enqueue(once.job());
    const consumer = await serve(queue);
    await begun.opened;
    await consumer.stop({ grace: 0 });
    expect(await result.peek()).toMatchObject({ state: "failed", error: { code: "TASKQ_INTERRUPTED" } });
  });

  test("jobs claimed ahead are handed back with their counters untouched", async () => {
    const [begun, finish] = [new Gate(), new Gate()];
    const work = task("work", async (_: void, { attempt }) => {
      begun.open();
      await finish.opened;
      return attempt;
    });
    const queue = closing(createQueue({ storage: await makeStorage(), tasks: { work } }));
    const results = await queue.enqueueMany(Array.from({ length: 5 }, () => work.job()));
    const first = await serve(queue, { workers: 1, prefetch: 4 });
    await begun.opened;
    expect(await queue.counts()).toMatchObject({ active: 5 });
    const stopped = first.stop();
    finish.open();
    await stopped;
    expect(await queue.counts()).toMatchObject({ completed: 1, ready: 4 });
    await serve(queue);
    const attempts = await Promise.all(results.map((result) => result.wait({ timeout: "5s" })));
    expect(attempts).toEqual([1, 1, 1, 1, 1]);
  });

  test("a consumer that was stopped does not start again: start and run reject", async () => {
    const work = task("work", async () => 1);
    const queue = closing(createQueue({ storage: await makeStorage(), tasks: { work } }));
    const consumer = await serve(queue);
    const stopped = consumer.stop();
    const refusal = { code: "TASKQ_CLOSED" };
    await expect(consumer.start()).rejects.toMatchObject(refusal);
    await stopped;
    await expect(consumer.start()).rejects.toMatchObject(refusal);
    await expect(consumer.run()).rejects.toMatchObject(refusal);
    expect(consumer.health().state).toBe("stopped");
  });

  test("a setup or a teardown that hangs does not keep a stop at once waiting, and is told of", async () => {
    const logger = recordingLogger();
    const work = task("work", async () => 1);
    const queue = closing(createQueue({ storage: await makeStorage(), tasks: { work }, logger }));
    const [starting, leaving] = [
      createConsumer(queue, { setup: hang }),
      createConsumer(queue, { teardown: hang }),
    ];
    const running = [starting.run(), leaving.run()];
    await until(() => starting.health().state === "starting" && leaving.health().state === "running");
    const before = performance.now();
    for (const consumer of [starting, leaving]) {
      const stopped = consumer.stop();
      await sleep(20);
      expect(consumer.stop({ grace: 0 })).toBe(stopped);
      await stopped;
      expect(consumer.health().state).toBe("stopped");
    }
    expect(performance.now() - before).toBeLessThan(2_000);
    await Promise.all(running);
    expect(logger.lines.map(({ level, message }) => [level, message])).toEqual([
      ["error", "the consumer stops at once, and leaves its start behind"],
      ["error", "the consumer stops at once, and leaves its teardown behind"],
    ]);
  });

  test("a setup or a teardown that hangs keeps a stop waiting as long as its grace, and is told of", async () => {
    const logger = recordingLogger();
    const work = task("work", async () => 1);
    const queue = closing(createQueue({ storage: await makeStorage(), tasks: { work }, logger }));
    const starting = createConsumer(queue, { setup: hang, grace: "600ms" });
    const leaving = createConsumer(queue, { teardown: hang });
    const running = [starting.run(), leaving.run()];
    await until(() => starting.health().state === "starting" && leaving.health().state === "running");
    const before = performance.now();
    const stopped = Promise.all([starting.stop(), leaving.stop()]);
    await sleep(20);
    // By now its teardown is waited for.
    void leaving.stop({ grace: "700ms" });
    await stopped;
    const took = performance.now() - before;
    expect(took).toBeGreaterThan(650);
    expect(took).toBeLessThan(5_000);
    await Promise.all(running);
    const why = "the consumer has waited for as long as its grace, and leaves its";
    expect(logger.lines.map(({ level, message }) => [level, message])).toEqual([
      ["error", `${why} start behind`],
      ["error", `${why} teardown behind`],
    ]);
  });

  test("a teardown that hangs keeps the failure of a consumer waiting as long as its grace, which may be 0", async () => {
    const work = task("work", async () => 1);
    const storage = (await makeStorage()) as Storage & StorageContract;
    const queue = createQueue({ storage, tasks: { work } });
    const failing = createConsumer(queue, { teardown: hang, grace: "600ms" });
    const failed = failing.run().catch((error: unknown) => error);
    await until(() => failing.health().state === "running");
    const before = performance.now();
    // Under the queue, as a program does that closes its storage first.
    await storage.close();
    expect(await failed).toMatchObject({ code: "TASKQ_CLOSED" });
    expect(performance.now() - before).toBeGreaterThan(550);

    const other = closing(createQueue({ storage: await makeStorage(), tasks: { work } }));
    const hasty = await serve(other, { teardown: hang, grace: 0 });
    const stopped = performance.now();
    await hasty.stop();
    expect(performance.now() - stopped).toBeLessThan(5_000);
  });

  test("a consumer that has stopped keeps no process from ending, asked to stop again with less grace", async () => {
    const work = task("work", async () => 1);
    const queue = closing(createQueue({ storage: await makeStorage(), tasks: { work } }));
    const consumer = await serve(queue, { teardown: () => sleep(1) });
    await consumer.stop();
    const before = timers();
    const again = consumer.stop({ grace: "20s" });
    expect(timers()).toBe(before);
    await again;
  });

  test("a teardown has its time though the handlers have used up the grace", async () => {
    const logger = recordingLogger();
    let torn = false;
    const work = task("work", async () => hang());
    const queue = closing(createQueue({ storage: await makeStorage(), tasks: { work }, logger }));
    const consumer = await serve(queue, {
      grace: "100ms",
      async teardown() {
        await sleep(300);
        torn = true;
      },
    });
    await queue.enqueue(work.job());
    await until(() => consumer.health().busy === 1);
    await consumer.stop();
    expect(torn).toBe(true);
  });

  test("a stop at once lets a teardown end that takes a moment", async () => {
    let torn = false;
    const work = task("work", async () => 1);
    const queue = closing(createQueue({ storage: await makeStorage(), tasks: { work } }));
    const consumer = await serve(queue, {
      async teardown() {
        await sleep(50);
        torn = true;
      },
    });
    await consumer.stop({ grace: 0 });
    expect(torn).toBe(true);
  });

  test("setup runs before the first claim and teardown after the last job", async () => {
    const steps: string[] = [];
    const work = task("work", async () => {
      await sleep(20);
      steps.push("job");
    });
    const queue = closing(createQueue({ storage: await makeStorage(), tasks: { work } }));
    await queue.enqueue(work.job());
    const consumer = await serve(queue, {
      async setup() {
        await sleep(20);
        steps.push("setup");
      },
      teardown: () => void steps.push("teardown"),
    });
    await until(() => consumer.health().busy === 1);
    await consumer.stop();
    expect(steps).toEqual(["setup", "job", "teardown"]);
  });

  test("a setup that fails rejects the start with its error, and nothing is claimed", async () => {
    let runs = 0;
    const work = task("work", async () => void (runs += 1));
    const queue = closing(createQueue({ storage: await makeStorage(), tasks: { work } }));
    await queue.enqueue(work.job());
    const broken = new Error("no database");
    const setup = () => Promise.reject(broken);
    const consumer = createConsumer(queue, { setup });
    await expect(consumer.start()).rejects.toBe(broken);
    expect(consumer.health().state).toBe("stopped");
    await expect(consumer.start()).rejects.toBe(broken);
    await expect(createConsumer(queue, { setup }).run()).rejects.toBe(broken);
    await sleep(30);
    expect(runs).toBe(0);
    expect(await queue.counts()).toMatchObject({ ready: 1 });
  });

  test("a teardown that fails rejects the stop with its error, the jobs being settled", async () => {
    const work = task("work", async () => 1);
    const queue = closing(createQueue({ storage: await makeStorage(), tasks: { work } }));
    const result = await queue.enqueue(work.job());
    const broken = new Error("no farewell");
    const consumer = await serve(queue, { teardown: () => Promise.reject(broken) });
    await result.wait({ timeout: "5s" });
    await expect(consumer.stop()).rejects.toBe(broken);
    expect(consumer.health().state).toBe("stopped");
  });

  test("a teardown may close the queue, and it or a setup stop the consumer: none waits for itself", async () => {
    const work = task("work", async () => 1);
    const queue = createQueue({ storage: await makeStorage(), tasks: { work } });
    const result = await queue.enqueue(work.job());
    const steps: string[] = [];
    const closer = await serve(queue, {
      teardown: async () => {
        await closer.stop();
        steps.push("stops");
        await queue.close();
        steps.push("closed");
      },
    });
    await result.wait({ timeout: "5s" });
    await closer.stop();
    expect(steps).toEqual(["stops", "closed"]);
    await expect(queue.enqueue(work.job())).rejects.toMatchObject({ code: "TASKQ_CLOSED" });

    const other = closing(createQueue({ storage: await makeStorage(), tasks: { work } }));
    const stopper = createConsumer(other, { setup: () => stopper.stop() });
    await stopper.start();
    await stopper.stop();
    expect(stopper.health().state).toBe("stopped");
  });

  test("whoever else closes the queue waits for a teardown, also what a setup has left behind", async () => {
    const [asked, goOn] = [new Gate(), new Gate()];
    const queue = createQueue({ storage: await makeStorage(), tasks: {} });
    const [left, steps] = [new Gate(), [] as string[]];
    let leftBehind: Promise<void> | undefined;
    const consumer = await serve(queue, {
      setup: () =>
        void (leftBehind = left.opened.then(() => consumer.stop()).then(() => void steps.push("stop"))),
      teardown: async () => {
        asked.open();
        await goOn.opened;
        await queue.counts();
        steps.push("teardown");
      },
    });
    left.open();
    await asked.opened;
    const closed = queue.close().then(() => void steps.push("close"));
    await sleep(30);
    goOn.open();
    await Promise.all([closed, leftBehind]);
    expect(steps[0]).toBe("teardown");
    expect(steps.toSorted()).toEqual(["close", "stop", "teardown"]);
  });

  test("what made a consumer fail is told, though its teardown fails as well", async () => {
    const logger = recordingLogger();
    const work = task("work", async () => 1);
    const queue = createQueue({ storage: await makeStorage(), tasks: { work }, logger });
    const consumer = createConsumer(queue, { teardown: () => Promise.reject(new Error("no farewell")) });
    const running = consumer.run().catch((error: unknown) => error);
    await until(() => consumer.health().state === "running");
    await queue.close();
    expect(await running).toMatchObject({ code: "TASKQ_CLOSED" });
    expect(logger.lines.map(({ message }) => message)).toContain("the teardown failed, too");
  });

  test("run refuses what is no signal, and a signal that is not under its name, and begins nothing", async () => {
    const listeners = process.listenerCount("SIGTERM");
    const queue = closing(createQueue({ storage: await makeStorage(), tasks: {} }));
    const consumer = createConsumer(queue);
    const controller = new AbortController();
    await expect(consumer.run({ signal: controller as never })).rejects.toMatchObject({
      code: "TASKQ_OPTION",
      message: "run signal: expected an AbortSignal, got an instance of AbortController",
    });
    await expect(consumer.run(controller.signal as never)).rejects.toMatchObject({
      code: "TASKQ_OPTION",
      message: "run: expected an object with 'signal', got an instance of AbortSignal",
    });
    expect(consumer.health().state).toBe("stopped");
    expect(process.listenerCount("SIGTERM")).toBe(listeners);
  });

  test("run resolves when its signal aborts, and leaves no listener of process signals behind", async () => {
    const before = process.listenerCount("SIGTERM");
    const work = task("work", async () => 1);
    const queue = closing(createQueue({ storage: await makeStorage(), tasks: { work } }));
    const consumer = createConsumer(queue);
    const controller = new AbortController();
    const running = consumer.run({ signal: controller.signal });
    await until(() => consumer.health().state === "running");
    expect(process.listenerCount("SIGTERM")).toBe(before + 1);
    controller.abort();
    await running;
    expect(consumer.health().state).toBe("stopped");
    expect(process.listenerCount("SIGTERM")).toBe(before);
    expect(process.listenerCount("SIGINT")).toBe(0);
    await createConsumer(queue).run({ signal: controller.signal });
  });

  test("however many consumers run, with one signal, the process and the signal have one listener of theirs", async () => {
    const before = process.listenerCount("SIGTERM");
    const queue = closing(createQueue({ storage: await makeStorage(), tasks: {} }));
    const consumers = Array.from({ length: 12 }, () => createConsumer(queue));
    const controller = new AbortController();
    const running = consumers.map((consumer) => consumer.run({ signal: controller.signal }));
    await until(() => consumers.every((consumer) => consumer.health().state === "running"));
    expect(process.listenerCount("SIGTERM")).toBe(before + 1);
    expect(getEventListeners(controller.signal, "abort")).toHaveLength(1);
    await consumers[0]?.stop();
    expect(process.listenerCount("SIGTERM")).toBe(before + 1);
    controller.abort();
    await Promise.all(running);
    expect(process.listenerCount("SIGTERM")).toBe(before);
  });

  test("await using stops the consumer", async () => {
    const work = task("work", async () => 1);
    const queue = closing(createQueue({ storage: await makeStorage(), tasks: { work } }));
    const seen: string[] = [];
    {
      await using consumer = createConsumer(queue);
      onTestFinished(() => void seen.push(consumer.health().state));
      await consumer.start();
      const result = await queue.enqueue(work.job());
      await result.wait({ timeout: "5s" });
      seen.push(consumer.health().state);
    }
    await queue.enqueue(work.job());
    await sleep(30);
    expect(seen).toEqual(["running"]);
    expect(await queue.counts()).toMatchObject({ completed: 1, ready: 1 });
  });

  test("a queue that is closed under a running consumer stops it, and run rejects", async () => {
    const logger = recordingLogger();
    const work = task("work", async () => 1);
    const queue = createQueue({ storage: await makeStorage(), tasks: { work }, logger });
    const consumer = createConsumer(queue);
    const running = consumer.run();
    running.catch(() => {});
    await until(() => consumer.health().state === "running");
    await queue.close();
    await expect(running).rejects.toMatchObject({ code: "TASKQ_CLOSED" });
    expect(consumer.health().state).toBe("stopped");
    expect(logger.lines.filter(({ level }) => level === "error")).toHaveLength(1);
  });

  test("a queue that closes before its consumer has stopped waits for it, and what ran is settled", async () => {
    const gate = new Gate();
    const begun = new Gate();
    const work = task("work", async () => {
      begun.open();
      await gate.opened;
      return "done";
    });
    const storage = await makeStorage();
    const other = closing(createQueue({ storage, tasks: {}, name: "other" }));
    await other.counts();
    const queue = createQueue({ storage, tasks: { work } });
    const consumer = createConsumer(queue);
    await consumer.start();
    const { id } = await queue.enqueue(work.job());
    await begun.opened;
    const stopped = Promise.all([
      queue.close(),
      queue.close(),
      expect(consumer.stop()).rejects.toThrow("stop the consumer first"),
    ]);
    gate.open();
    await stopped;
    expect(consumer.health().state).toBe("stopped");
    const again = closing(createQueue({ storage, tasks: { work } }));
    expect(await again.result(work, id).peek()).toEqual({ state: "completed", value: "done" });
    expect((await again.job(id))?.attempt).toBe(1);
  });

  test("a queue that closes is served by no consumer that starts meanwhile", async () => {
    const [begun, finish] = [new Gate(), new Gate()];
    const ran: string[] = [];
    const work = task("work", async (_what: string, { id }) => {
      ran.push(id);
      begun.open();
      await finish.opened;
    });
    const storage = await makeStorage();
    const other = closing(createQueue({ storage, tasks: {}, name: "other" }));
    await other.counts();
    const queue = createQueue({ storage, tasks: { work } });
    const first = createConsumer(queue, { workers: 1 });
    await first.start();
    const { id } = await queue.enqueue(work.job("the first one"));
    await begun.opened;
    await queue.enqueue(work.job("left waiting"));
    const closed = queue.close();
    const late = createConsumer(queue);
    await expect(late.start()).rejects.toMatchObject({ code: "TASKQ_CLOSED" });
    finish.open();
    await closed;
    expect(late.health().state).toBe("stopped");
    const again = closing(createQueue({ storage, tasks: { work } }));
    expect(await again.counts()).toMatchObject({ completed: 1, ready: 1, active: 0 });
    expect(ran).toEqual([id]);
  });

  test("a queue that closes while its consumer starts ends that, and no other queue is served", async () => {
    const seen: string[] = [];
    const work = task("work", async () => void seen.push("ran"));
    const queue = createQueue({ storage: await makeStorage(), tasks: { work } });
    const other = closing(createQueue({ storage: await makeStorage(), tasks: { work }, name: "other" }));
    await other.enqueue(work.job());
    const consumer = createConsumer([other, queue], {
      setup: () => queue.close(),
      teardown: () => void seen.push("torn down"),
    });
    await expect(consumer.run()).rejects.toMatchObject({ code: "TASKQ_CLOSED" });
    expect(consumer.health().state).toBe("stopped");
    await sleep(30);
    expect(seen).toEqual(["torn down"]);
    expect(await other.counts()).toMatchObject({ ready: 1 });
  });

  test("a handler that closes its queue does not wait for itself", async () => {
    const ended = new Gate();
    const work = task("work", async () => {
      await queue.close();
      ended.open();
    });
    const queue = createQueue({ storage: await makeStorage(), tasks: { work } });
    const consumer = createConsumer(queue);
    const running = consumer.run();
    running.catch(() => {});
    await queue.enqueue(work.job());
    await ended.opened;
    await expect(running).rejects.toMatchObject({ code: "TASKQ_CLOSED" });
  });

  test("a queue that closes after somebody asked its consumer to stop is no failure", async () => {
    const queue = createQueue({ storage: await makeStorage(), tasks: {} });
    const consumer = createConsumer(queue);
    await consumer.start();
    const stopped = consumer.stop();
    await queue.close();
    await expect(stopped).resolves.toBeUndefined();
  });
});
