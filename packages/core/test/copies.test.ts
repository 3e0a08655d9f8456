import { beforeAll, describe, expect, test, vi } from "vitest";
import * as here from "../src/index.ts";
import { decide, type RetryPolicy } from "../src/engine/decide.ts";
import { engineOf } from "../src/engine/engine-of.ts";

/** What a task, a storage or a caller has that was installed with a core of its own. */
let other: typeof here;

beforeAll(async () => {
  vi.resetModules();
  other = await import("../src/index.ts");
});

test("there are two copies", () => {
  expect(other.Fatal).not.toBe(here.Fatal);
});

const policy: RetryPolicy = {
  retries: 3,
  backoff: undefined,
  retryWhen: undefined,
  delivery: "at-least-once",
};

describe("what a handler throws of another copy of core", () => {
  test("a Fatal is not retried", () => {
    const error = new other.Fatal("bad card");
    expect(decide({ kind: "threw", error }, policy, 0, 0)).toEqual({ kind: "fail", error });
  });

  test("a Cancel cancels", () => {
    const error = new other.Cancel("gone");
    expect(decide({ kind: "threw", error }, policy, 0, 0)).toEqual({ kind: "cancel", reason: "gone" });
  });

  test("a Retry uses up no retry", () => {
    const error = new other.Retry({ delay: "1s" });
    const again = { kind: "retry", error, due: 1_000, counts: false };
    expect(decide({ kind: "threw", error }, { ...policy, retries: 0 }, 0, 0)).toEqual(again);
  });
});

const report = {
  id: "1",
  task: "a",
  error: { name: "Error", message: "", stack: undefined, code: undefined, details: undefined },
  attempts: 1,
};
function classesOf(core: typeof here) {
  return [
    core.TaskqError,
    core.JobFailedError,
    core.JobCancelledError,
    core.ResultTimeoutError,
    core.TimeoutError,
  ];
}

function errorsOf(core: typeof here) {
  return [
    new core.TaskqError("TASKQ_BUSY", "busy"),
    new core.JobFailedError(report),
    new core.JobCancelledError("gone"),
    new core.ResultTimeoutError(1),
    new core.TimeoutError(1),
  ];
}

test("a queue of another copy is told from no queue, with its name", () => {
  // Refused before anything is asked of it.
  const storage = { step() {}, enqueue() {}, clock: undefined } as never;
  const queue = other.createQueue({ storage, tasks: {}, name: "shop" });
  expect(() => engineOf(queue)).toThrow(
    "queue: the queue 'shop' was made by another copy of @taskq/core than the package has that is given it",
  );
  for (const none of [undefined, null, 5, {}, { name: "shop" }]) {
    expect(() => engineOf(none as never)).toThrow("queue: expected a queue, made by createQueue, got");
  }
});

describe("instanceof", () => {
  test.each(classesOf(here))("holds for a $name of another copy, as for one of this", (kind) => {
    const expected = classesOf(here).map((one) => kind === here.TaskqError || one === kind);
    expect(errorsOf(here).map((error) => error instanceof kind)).toEqual(expected);
    expect(errorsOf(other).map((error) => error instanceof kind)).toEqual(expected);
  });

  test("of a class that extends one of ours holds for its own only", () => {
    class Mine extends here.TaskqError {}
    const mine = new Mine("TASKQ_BUSY", "busy");
    expect([mine instanceof Mine, mine instanceof here.TaskqError]).toEqual([true, true]);
    expect(new here.TaskqError("TASKQ_BUSY", "busy") instanceof Mine).toBe(false);
    expect(new other.TaskqError("TASKQ_BUSY", "busy") instanceof Mine).toBe(false);
  });

  test("holds for nothing else", () => {
    const proxy = new Proxy({}, { get: () => () => {}, has: () => true });
    const others = [new Error("x"), { code: "TASKQ_BUSY" }, undefined, null, "TASKQ_BUSY", proxy];
    expect(others.filter((value) => value instanceof here.TaskqError)).toEqual([]);
  });
});
