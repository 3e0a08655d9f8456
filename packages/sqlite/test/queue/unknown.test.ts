import { createQueue, JobFailedError, task, type FailureReport, type QueueEvent } from "@taskq/core";
import { advance, virtualClock } from "@taskq/core/testing";
import { describe, expect, onTestFinished, test } from "vitest";
import { immediateQueue, storages } from "./storages.js";

const noon = new Date("2026-01-01T12:00:00Z");
const charge = task("charge", async ({ order }: { order: number }) => order);
const other = task("other", async () => "other");

describe.each(storages)("tasks that no consumer knows on $name", ({ make }) => {
  /** A queue that stores jobs of `charge`, and one of the same name that executes, but does not know that task. */
  function setUp(unknownAfter?: "1h") {
    const options = { clock: virtualClock(noon), ...(unknownAfter === undefined ? {} : { unknownAfter }) };
    const storage = make();
    const reports: FailureReport[] = [];
    const alert = task("alert", async (report: FailureReport) => void reports.push(report));
    const shop = createQueue({ storage, tasks: { charge, alert }, ...options });
    onTestFinished(() => shop.close());
    const worker = immediateQueue(storage, { other, alert }, options);
    return { shop, worker, alert, reports, knowing: () => immediateQueue(storage, { charge }, options) };
  }

  test("wait for ever without unknownAfter", async () => {
    const { shop, worker, knowing } = setUp();
    const result = await shop.enqueue(charge.job({ order: 1 }));
    await advance(worker, "30d");
    expect(await result.state()).toBe("parked");
    expect((await shop.why(result.id)).causes).toMatchObject([{ code: "no-consumer" }]);
    await advance(knowing(), 1);
    expect(await result.wait()).toBe(1);
  });

  test("end quarantined after that time, which is told, and handled by an error handler", async () => {
    const { shop, worker, alert, reports } = setUp("1h");
    const heard: QueueEvent<"quarantined">[] = [];
    worker.on("quarantined", (event) => void heard.push(event));
    const first = await shop.enqueue(charge.job({ order: 1 }).onError(alert));
    await advance(worker, "30m");
    const second = await shop.enqueue(charge.job({ order: 2 }));
    await advance(worker, "29m");
    expect([await first.state(), await second.state()]).toEqual(["parked", "parked"]);
    await advance(worker, "1m");
    expect([await first.state(), await second.state()]).toEqual(["quarantined", "parked"]);
    const error = {
      name: "TaskqError",
      code: "TASKQ_QUARANTINED",
      message: "no consumer knew its task for as long as the queue's unknownAfter says",
      details: { code: "TASKQ_UNKNOWN_TASK" },
    };
    expect(heard).toMatchObject([{ id: first.id, task: "charge", error }]);
    expect(reports).toMatchObject([{ id: first.id, task: "charge", error, attempts: 0 }]);
    const failure: unknown = await first.wait().catch((refused: unknown) => refused);
    expect(failure).toBeInstanceOf(JobFailedError);
    expect(failure).toMatchObject({ code: "TASKQ_QUARANTINED" });
    expect((await shop.why(first.id)).causes).toMatchObject([
      { code: "final", evidence: { reason: "unknown-task" } },
    ]);
    await advance(worker, "31m");
    expect(await second.state()).toBe("quarantined");
    expect(await shop.counts()).toMatchObject({ quarantined: 2, parked: 0, completed: 1 });
  });

  test("wait anew when they are retried by hand, and run once a consumer knows them", async () => {
    const { shop, worker, knowing } = setUp("1h");
    const result = await shop.enqueue(charge.job({ order: 3 }));
    await advance(worker, "2h");
    expect(await result.state()).toBe("quarantined");
    expect(await shop.retry(result.id)).toBe(true);
    await advance(worker, "59m");
    expect(await result.state()).toBe("parked");
    await advance(knowing(), 1);
    expect(await result.wait()).toBe(3);
    expect(await result.info()).toMatchObject({ attempt: 1, failures: 0, crashes: 0 });
  });

  test.each([
    [0, "a duration of at least 1 ms"],
    [-5, "a duration"],
    ["10 minutes", "a duration"],
    [Number.NaN, "a duration"],
    [null, "a duration"],
  ])("unknownAfter: %o is refused with what was expected", (unknownAfter, expected) => {
    const create = () =>
      createQueue({ storage: make(), tasks: { charge }, unknownAfter: unknownAfter as never });
    expect(create).toThrow(expect.objectContaining({ code: "TASKQ_OPTION" }));
    expect(create).toThrow(`createQueue unknownAfter: expected ${expected}`);
  });
});
