import { createQueue, periodic, every, task, type Queue } from "@taskq/core";
import { memoryStorage } from "@taskq/memory";
import { describe, expect, test } from "vitest";
import { createConsumer, drain, type ConsumerOptions } from "../src/index.js";

const add = task("add", async ({ a, b }: { a: number; b: number }) => a + b);
const beat = periodic("beat", every("1s"), async () => {});
const tasks = { add, beat };

function aQueue(): Queue {
  return createQueue({ storage: memoryStorage(), tasks });
}

describe("what a consumer refuses", () => {
  test.each<[unknown, string]>([
    [{ wrokers: 4 }, "createConsumer: unknown option 'wrokers'"],
    [{ workers: 0 }, "createConsumer workers: expected an integer from 1 to 10000, got 0"],
    [{ workers: 1.5 }, "createConsumer workers: expected an integer from 1 to 10000, got 1.5"],
    [{ workers: "4" }, "createConsumer workers: expected an integer from 1 to 10000, got '4'"],
    [{ lease: "10 minutes" }, "createConsumer lease: expected a duration"],
    [{ lease: 10 }, "createConsumer lease: expected a duration of at least 100 ms, got 10"],
    [{ grace: -1 }, "createConsumer grace: expected a duration"],
    [{ prefetch: "much" }, "createConsumer prefetch: expected 'adaptive' or an integer, got 'much'"],
    [{ prefetch: -1 }, "createConsumer prefetch: expected an integer from 0 to 10000, got -1"],
    [{ periodic: "yes" }, "createConsumer periodic: expected true or false, got 'yes'"],
    [{ modules: ["./tasks.js"] }, "createConsumer modules: expected an array of URLs"],
    [{ setup: "now" }, "createConsumer setup: expected a function, got 'now'"],
    [{ teardown: 1 }, "createConsumer teardown: expected a function, got 1"],
    [{ resources: { db: "file.db" } }, "createConsumer resources.db: expected a function, got 'file.db'"],
    [{ resources: [] }, "createConsumer resources: expected an object of functions"],
    [
      { resources: Promise.resolve({ db: () => 1 }) },
      "createConsumer resources: expected an object of functions, got a promise",
    ],
    [{ workers: null }, "createConsumer workers: expected an integer from 1 to 10000, got null"],
    [{ lease: null }, "createConsumer lease: expected a duration"],
    [{ periodic: null }, "createConsumer periodic: expected true or false, got null"],
    [{ recycle: 0 }, "createConsumer recycle: expected an integer of at least 1, got 0"],
  ])("%o", (options, message) => {
    expect(() => createConsumer(aQueue(), options as ConsumerOptions)).toThrowError(
      expect.objectContaining({ code: "TASKQ_OPTION", message: expect.stringContaining(message) }),
    );
  });

  test("a queue in immediate mode", () => {
    const queue = createQueue({ storage: memoryStorage(), tasks, immediate: true });
    expect(() => createConsumer(queue)).toThrowError(expect.objectContaining({ code: "TASKQ_IMMEDIATE" }));
  });

  test("what is no queue, and no queue at all", () => {
    const option = expect.objectContaining({ code: "TASKQ_OPTION" });
    expect(() => createConsumer({} as Queue)).toThrowError(option);
    expect(() => createConsumer([])).toThrowError(option);
  });

  test("the same queue twice, by two objects too", () => {
    const storage = memoryStorage();
    const first = createQueue({ storage, tasks });
    const second = createQueue({ storage, tasks });
    const option = expect.objectContaining({ code: "TASKQ_OPTION" });
    expect(() => createConsumer([first, first])).toThrowError(option);
    expect(() => createConsumer([first, second])).toThrowError(option);
  });

  test("a start with tasks that ask for isolation, by name", async () => {
    const heavy = task("heavy", { isolate: "thread" }, async () => 1);
    const consumer = createConsumer(createQueue({ storage: memoryStorage(), tasks: { heavy, add } }));
    await expect(consumer.start()).rejects.toMatchObject({
      code: "TASKQ_NOT_YET",
      message: expect.stringContaining("'heavy'"),
    });
    expect(consumer.health().state).toBe("stopped");
    await expect(consumer.run()).rejects.toMatchObject({ code: "TASKQ_NOT_YET" });
  });

  test("a bad grace of a stop, an unknown option of run and stop", async () => {
    const consumer = createConsumer(aQueue());
    await expect(consumer.stop({ grace: "soon" as "1s" })).rejects.toMatchObject({ code: "TASKQ_OPTION" });
    await expect(consumer.stop({ grade: 1 } as object)).rejects.toMatchObject({ code: "TASKQ_OPTION" });
    await expect(consumer.run({ singal: 1 } as object)).rejects.toMatchObject({ code: "TASKQ_OPTION" });
  });

  test("a start after a stop", async () => {
    const consumer = createConsumer(aQueue());
    await consumer.stop();
    await expect(consumer.start()).rejects.toMatchObject({ code: "TASKQ_CLOSED" });
  });
});

describe("what drain refuses", () => {
  test("a queue in immediate mode", async () => {
    const queue = createQueue({ storage: memoryStorage(), tasks, immediate: true });
    await expect(drain(queue)).rejects.toMatchObject({ code: "TASKQ_IMMEDIATE" });
  });

  test("an unknown option and an invalid Date", async () => {
    const option = { code: "TASKQ_OPTION" };
    await expect(drain(aQueue(), { til: new Date() } as object)).rejects.toMatchObject(option);
    await expect(drain(aQueue(), { until: new Date("soon") })).rejects.toMatchObject(option);
  });
});
