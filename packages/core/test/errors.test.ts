import { describe, expect, test } from "vitest";
import { Cancel, Fatal, Retry } from "../src/control-flow.ts";
import * as errors from "../src/errors.ts";
import type { FailureReport } from "../src/errors.ts";

const report = (code: string | undefined): FailureReport => ({
  id: "job-1",
  task: "charge",
  error: { name: "RangeError", message: "too much", stack: undefined, code, details: undefined },
  attempts: 2,
});

describe("every error of ours", () => {
  test.each<[errors.TaskqError, string, string, string]>([
    [new errors.TaskqError("TASKQ_BUSY", "the file is busy"), "TaskqError", "TASKQ_BUSY", "the file is busy"],
    [
      new errors.JobFailedError(report("ECARD")),
      "JobFailedError",
      "TASKQ_FAILED",
      'the job job-1 of task "charge" failed after 2 runs: RangeError: too much',
    ],
    [
      new errors.JobFailedError(report("TASKQ_QUARANTINED")),
      "JobFailedError",
      "TASKQ_QUARANTINED",
      'the job job-1 of task "charge" was quarantined after 2 runs: RangeError: too much',
    ],
    [
      new errors.JobFailedError(report("TASKQ_QUARANTINED"), "failed"),
      "JobFailedError",
      "TASKQ_FAILED",
      'the job job-1 of task "charge" failed after 2 runs: RangeError: too much',
    ],
    [
      new errors.JobCancelledError("gone"),
      "JobCancelledError",
      "TASKQ_CANCELLED",
      "the job was cancelled: gone",
    ],
    [new errors.JobExpiredError("late"), "JobExpiredError", "TASKQ_EXPIRED", "the job expired: late"],
    [
      new errors.JobExpiredError("expired"),
      "JobExpiredError",
      "TASKQ_EXPIRED",
      "the job expired: its time to start was over",
    ],
    [new errors.JobSkippedError("before"), "JobSkippedError", "TASKQ_SKIPPED", "the job was skipped: before"],
    [
      new errors.ResultTimeoutError(50),
      "ResultTimeoutError",
      "TASKQ_WAIT_TIMEOUT",
      "the job was not final after 50 ms of waiting",
    ],
    [
      new errors.ResultTimeoutError(50, ["job-1"]),
      "ResultTimeoutError",
      "TASKQ_WAIT_TIMEOUT",
      "the job job-1 was not final after 50 ms of waiting; queue.why(id) tells what it waits for",
    ],
    [
      new errors.ResultTimeoutError(50, ["a", "b", "c", "d", "e", "f", "g"]),
      "ResultTimeoutError",
      "TASKQ_WAIT_TIMEOUT",
      "7 jobs (a, b, c, d, e and 2 more) were not final after 50 ms of waiting",
    ],
    [
      new errors.TimeoutError(50),
      "TimeoutError",
      "TASKQ_TIMEOUT",
      "the run took longer than its timeout of 50 ms",
    ],
  ])("%s has its class's name, a code and a sentence", (error, name, code, message) => {
    expect(error).toBeInstanceOf(errors.TaskqError);
    expect(error).toBeInstanceOf(Error);
    expect({ name: error.name, code: error.code, message: error.message }).toEqual({
      name,
      code,
      message,
    });
    expect(error.stack).toMatch(`${name}: ${message}`);
    expect(Object.keys(error)).not.toContain("name");
  });

  test("keeps its cause", () => {
    const cause = new Error("connection reset");
    expect(new errors.TaskqError("TASKQ_UNAVAILABLE", "no server", { cause }).cause).toBe(cause);
    expect(new errors.TaskqError("TASKQ_UNAVAILABLE", "no server")).not.toHaveProperty("cause");
  });

  test("carries what it was made of", () => {
    expect(new errors.JobFailedError(report(undefined))).toMatchObject(report(undefined));
    expect(new errors.JobExpiredError("late").reason).toBe("late");
    expect(new errors.ResultTimeoutError(50).timeoutMs).toBe(50);
  });
});

test("the cause of JobFailedError is what the handler threw, of no class of its own", () => {
  const { cause } = new errors.JobFailedError(report("ECARD"));
  expect(cause).toBeInstanceOf(Error);
  expect(cause).not.toBeInstanceOf(RangeError);
  expect(cause).toMatchObject({ name: "RangeError", message: "too much", code: "ECARD" });
  expect((cause as Error).stack).toBe("RangeError: too much");
  const stack = "RangeError: too much\n    at charge (file:///charge.js:1:1)";
  const told = report(undefined);
  const traced = new errors.JobFailedError({ ...told, error: { ...told.error, stack } }).cause as Error;
  expect(traced.stack).toBe(stack);
  expect(Object.keys(traced)).toEqual([]);
});

describe("what a handler throws", () => {
  test("Retry says when", () => {
    const at = new Date(5);
    expect(new Retry().when).toEqual({});
    expect(new Retry({ delay: "1m" }).when).toEqual({ delay: "1m" });
    expect(new Retry({ at }).when).toEqual({ at });
  });

  test("Retry refuses a bad time where it is thrown", () => {
    const both = { delay: 1, at: new Date(5) } as never;
    expect(() => new Retry(both)).toThrow("Retry: expected either delay or at, got both");
    expect(() => new Retry({ delay: "soon" as never })).toThrow(/^Retry delay: expected a duration/);
  });

  test.each([5, null, "1m", [], { delayed: "1m" }])(
    "Retry refuses %o, which says nothing of when",
    (given) => {
      const refused = expect.objectContaining({ code: "TASKQ_OPTION" }) as Error;
      expect(() => new Retry(given as never)).toThrow(refused);
    },
  );

  test("all of them keep a cause, and are no errors of ours", () => {
    const cause = new Error("busy");
    const thrown = [new Retry({ cause }), new Cancel("gone", { cause }), new Fatal("bad card", { cause })];
    expect(thrown.map((error) => error.cause)).toEqual([cause, cause, cause]);
    expect(thrown.map((error) => error.name)).toEqual(["Retry", "Cancel", "Fatal"]);
    expect(thrown.some((error) => error instanceof errors.TaskqError)).toBe(false);
  });

  test("Cancel has a reason even when none is given", () => {
    expect(new Cancel("gone").message).toBe("gone");
    expect(new Cancel().message).toBe("cancelled by the handler");
  });
});
