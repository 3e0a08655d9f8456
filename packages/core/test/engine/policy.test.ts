import { describe, expect, test } from "vitest";
import { definitionOf } from "../../src/definition.js";
import { policyOf, type Policy } from "../../src/engine/policy.js";
import { every } from "../../src/schedule/every.js";
import { checkedOptions } from "../../src/task-options.js";
import { periodic } from "../../src/periodic.js";
import { task } from "../../src/task.js";
import type { TaskOptions } from "../../src/vocabulary/task-options.js";

const ofQueue: TaskOptions<never> = {
  retries: 1,
  backoff: "1s",
  retryWhen: () => true,
  timeout: "1s",
  priority: 1,
  expires: "1s",
  delivery: "at-most-once",
  isolate: "thread",
  results: "none",
  keep: { completed: "1s" },
};
const own: TaskOptions<never> = {
  retries: 2,
  backoff: "2s",
  retryWhen: () => false,
  timeout: "2s",
  priority: 2,
  expires: "2s",
  delivery: "at-least-once",
  isolate: "process",
  results: "keep",
  keep: { completed: "2s" },
};
const defaults = checkedOptions(ofQueue, "defaults");

function policyFor(options: TaskOptions<never>, queue?: typeof defaults): Policy {
  return policyOf(definitionOf(task("work", options, () => {})), queue);
}

describe("the options of a task as a queue applies them", () => {
  test("what the task says goes before what the queue says", () => {
    const { backoff, ...policy } = policyFor(own, defaults);
    const { backoff: _, ...said } = definitionOf(task("work", own, () => {})).options;
    expect(policy).toEqual({ ...said, version: 1 });
    expect(backoff?.({ attempt: 1, error: undefined })).toBe(2_000);
  });

  test("what the queue says stands in for what the task does not", () => {
    expect(policyFor({}, defaults)).toEqual({ ...defaults, version: 1 });
  });

  test("where neither says anything, a job is not retried, may begin at any time, and its result is kept", () => {
    expect(policyFor({})).toMatchObject({
      retries: 0,
      backoff: undefined,
      timeoutMs: undefined,
      priority: 0,
      expiresMs: undefined,
      delivery: "at-least-once",
      isolate: "none",
      results: "keep",
      version: 1,
    });
  });

  test("what a periodic handler answers is not kept, whatever the queue says", () => {
    const tick = periodic("tick", every("1h"), () => {});
    const queue = checkedOptions({ ...ofQueue, results: "keep" }, "defaults");
    expect(policyOf(definitionOf(tick), queue).results).toBe("none");
  });
});
