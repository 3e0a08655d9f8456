import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import { exponential } from "../../src/backoff.js";
import { Cancel, Fatal, Retry } from "../../src/control-flow.js";
import { decide, type RetryPolicy } from "../../src/engine/decide.js";
import { TaskqError, TimeoutError } from "../../src/errors.js";

const now = 1_000_000;
const patient: RetryPolicy = {
  retries: 2,
  backoff: exponential({ base: "2s" }),
  retryWhen: undefined,
  delivery: "at-least-once",
};
const error = new Error("broken");

describe("what follows a run", () => {
  test("a handler that returned completes the job", () => {
    expect(decide({ kind: "returned" }, patient, 0, now)).toEqual({ kind: "complete" });
  });

  test("an error is retried after its backoff while the budget lasts, and then fails", () => {
    const threw = { kind: "threw", error } as const;
    expect(decide(threw, patient, 0, now)).toEqual({ kind: "retry", error, due: now + 2_000, counts: true });
    expect(decide(threw, patient, 1, now)).toEqual({ kind: "retry", error, due: now + 4_000, counts: true });
    expect(decide(threw, patient, 2, now)).toEqual({ kind: "fail", error });
  });

  test("a count of failures that is none, as of a row that somebody has written into, leaves no retry", () => {
    for (const failures of [-1, -9e15, Number.NaN, "many" as unknown as number]) {
      expect(decide({ kind: "threw", error }, patient, failures, now)).toEqual({ kind: "fail", error });
    }
  });

  test("without a budget the first error fails the job", () => {
    expect(decide({ kind: "threw", error }, { ...patient, retries: 0 }, 0, now)).toEqual({
      kind: "fail",
      error,
    });
  });

  test("a Retry does not use up the budget, and comes when it says", () => {
    const retry = new Retry({ delay: "1m" });
    expect(decide({ kind: "threw", error: retry }, patient, 2, now)).toEqual({
      kind: "retry",
      error: retry,
      due: now + 60_000,
      counts: false,
    });
    const at = new Date(5_000_000);
    expect(decide({ kind: "threw", error: new Retry({ at }) }, patient, 0, now)).toMatchObject({
      due: 5_000_000,
    });
  });

  test("a Retry that does not say when takes the backoff of the task", () => {
    expect(decide({ kind: "threw", error: new Retry() }, patient, 1, now)).toMatchObject({
      due: now + 4_000,
    });
  });

  test("a Cancel cancels, a Fatal fails, whatever budget is left", () => {
    expect(decide({ kind: "threw", error: new Cancel("gone") }, patient, 0, now)).toEqual({
      kind: "cancel",
      reason: "gone",
    });
    const fatal = new Fatal("bad card");
    expect(decide({ kind: "threw", error: fatal }, patient, 0, now)).toEqual({ kind: "fail", error: fatal });
  });

  test("a timeout counts as a failure", () => {
    const late = new TimeoutError(50);
    expect(decide({ kind: "timed-out", error: late }, patient, 0, now)).toMatchObject({
      kind: "retry",
      counts: true,
    });
    expect(decide({ kind: "timed-out", error: late }, patient, 2, now)).toEqual({
      kind: "fail",
      error: late,
    });
  });

  test("a shutdown gives the run back, a revoke cancels it", () => {
    expect(decide({ kind: "interrupted" }, patient, 0, now)).toEqual({ kind: "interrupt" });
    expect(decide({ kind: "revoked" }, patient, 0, now)).toEqual({ kind: "cancel", reason: "revoked" });
  });

  test("retryWhen decides whether an error is worth a retry, and hears which attempt it was", () => {
    const heard: number[] = [];
    const policy: RetryPolicy = {
      ...patient,
      retryWhen: ({ attempt }) => {
        heard.push(attempt);
        return false;
      },
    };
    expect(decide({ kind: "threw", error }, policy, 1, now)).toEqual({ kind: "fail", error });
    expect(heard).toEqual([2]);
  });

  test("a retryWhen that throws fails the job and tells both errors", () => {
    const policy: RetryPolicy = {
      ...patient,
      retryWhen: () => {
        throw new Error("no idea");
      },
    };
    const decision = decide({ kind: "threw", error }, policy, 0, now);
    expect(decision.kind).toBe("fail");
    const told = decision.kind === "fail" ? decision.error : undefined;
    expect(told).toBeInstanceOf(TaskqError);
    expect(String(told)).toContain("no idea");
    expect((told as Error).cause).toBe(error);
  });

  test("a backoff that answers no duration fails the job that asked for another run, and tells both errors", () => {
    const policy: RetryPolicy = { ...patient, backoff: () => undefined as never };
    const decision = decide({ kind: "threw", error: new Retry({ cause: error }) }, policy, 0, now);
    expect(decision.kind).toBe("fail");
    const told = decision.kind === "fail" ? decision.error : undefined;
    expect(String(told)).toContain("what the backoff answered: expected a duration");
    expect((told as Error).cause).toBeInstanceOf(Retry);
  });

  test("a Retry whose instant was made invalid afterwards fails the job", () => {
    const at = new Date(5_000_000);
    const retry = new Retry({ at });
    at.setTime(Number.NaN);
    expect(decide({ kind: "threw", error: retry }, patient, 0, now).kind).toBe("fail");
  });

  test("what throws at being looked at is an error as any other", () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    expect(decide({ kind: "threw", error: proxy }, patient, 0, now).kind).toBe("retry");
    const cancel = Object.assign(new Cancel("gone"), { message: 5 as never });
    expect(decide({ kind: "threw", error: cancel }, patient, 0, now)).toEqual({ kind: "cancel", reason: "" });
  });

  test("a promise from retryWhen or a backoff fails the job, and its rejection ends nothing", async () => {
    const unhandled: unknown[] = [];
    const hear = (reason: unknown): void => void unhandled.push(reason);
    process.on("unhandledRejection", hear);
    const Foreign = runInNewContext("Promise") as PromiseConstructor;
    for (const maker of [Promise, Foreign]) {
      const rejecting = (() => maker.reject(new Error("late"))) as never;
      for (const policy of [{ retryWhen: rejecting }, { backoff: rejecting }]) {
        expect(decide({ kind: "threw", error }, { ...patient, ...policy }, 0, now).kind).toBe("fail");
      }
    }
    await new Promise((resolve) => {
      setTimeout(resolve, 20);
    });
    process.off("unhandledRejection", hear);
    expect(unhandled).toEqual([]);
  });

  test("an at-most-once job is never run again", () => {
    const once: RetryPolicy = { ...patient, delivery: "at-most-once" };
    expect(decide({ kind: "threw", error }, once, 0, now)).toEqual({ kind: "fail", error });
    expect(decide({ kind: "threw", error: new Retry() }, once, 0, now).kind).toBe("fail");
  });
});
