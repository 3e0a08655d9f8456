import { describe, expect, test } from "vitest";
import { group, task, periodic, every, type FailureReport, type Job } from "../src/index.js";
import { compositionOf, isJob } from "../src/composition.js";
import { definitionOf } from "../src/definition.js";

const page = task("page", async ({ url }: { url: string }) => ({ text: url, size: 1 }));
const transform = task("transform", ({ text, factor }: { text: string; factor: number }) =>
  text.repeat(factor),
);
const store = task("store", async (_input: string) => {});
const alert = task("alert", async (_input: FailureReport) => {});
const run = { kind: "run", task: definitionOf(page), input: { url: "x" } };
const job = page.job({ url: "x" });

/** As JavaScript calls it, without the compiler's refusals. */
const untyped = job as unknown as { pipe(...given: unknown[]): Job; onError(handler: unknown): Job };
const groupOf = group as unknown as (...given: unknown[]) => Job;
const optionError = (message: string) => expect.objectContaining({ code: "TASKQ_OPTION", message });

describe("a job", () => {
  test("names the tasks that it needs, each once, in the order of their first use", () => {
    const flow = job.pipe(transform, { factor: 2 }).pipe(store).onError(alert);
    expect(flow.tasks).toEqual(["page", "transform", "store", "alert"]);
    expect(group([flow, job, store.job("x")]).pipe(task("page", (_input: unknown) => 1)).tasks).toEqual(
      flow.tasks,
    );
  });

  test("cannot be changed, nor can what it is made of", () => {
    const flow = group([job.pipe(transform, { factor: 2 }).onError(alert)]);
    const composition = compositionOf(flow);
    expect(Object.isFrozen(flow)).toBe(true);
    expect(Object.isFrozen(flow.tasks)).toBe(true);
    expect(Object.isFrozen(composition)).toBe(true);
    expect(composition).toSatisfy(({ members }: { members: unknown[] }) =>
      [members, ...members].every((value) => Object.isFrozen(value)),
    );
  });

  test("stays what it is when it is composed", () => {
    const one = page.job({ url: "x" });
    one.pipe(transform, { factor: 2 });
    one.onError(alert);
    group([one]);
    expect(compositionOf(one)).toEqual(run);
    expect(one.tasks).toEqual(["page"]);
  });

  test("has no method named then, so that awaiting it does nothing", async () => {
    expect("then" in job).toBe(false);
    expect(await (job as unknown as Promise<unknown>)).toBe(job);
  });

  test("is known from everything else", () => {
    for (const each of [job, job.pipe(transform, { factor: 1 }), job.onError(alert), group([])]) {
      expect(isJob(each)).toBe(true);
    }
    for (const other of [page, { ...page }, { tasks: [] }, null, undefined, "job", [job]]) {
      expect(isJob(other)).toBe(false);
    }
    expect(() => compositionOf({ url: "x" }, "enqueue")).toThrow(
      /^enqueue: expected a job, such as task\.job\(input\)/,
    );
    expect(() => compositionOf(page, "enqueue")).toThrow(
      "enqueue: expected a job, got the task 'page' itself; its job(input) makes one",
    );
  });
});

describe("pipe", () => {
  test("adds a stage, with nothing beside the output", () => {
    expect(compositionOf(transform.job({ text: "x", factor: 2 }).pipe(store))).toMatchObject({
      kind: "pipe",
      before: { kind: "run", task: definitionOf(transform) },
      task: definitionOf(store),
      extra: undefined,
    });
  });

  test("adds a stage, with what is given beside the output", () => {
    const composition = compositionOf(job.pipe(transform, { factor: 2 }));
    expect(composition).toEqual({
      kind: "pipe",
      before: run,
      task: definitionOf(transform),
      extra: { factor: 2 },
    });
  });

  test("keeps what was given as it was given", () => {
    const extra = { factor: 2 };
    const piped = job.pipe(transform, extra);
    extra.factor = 3;
    expect(compositionOf(piped)).toMatchObject({ extra: { factor: 2 } });
  });

  test("goes on after a guarded job", () => {
    const guarded = job.onError(alert);
    expect(compositionOf(guarded.pipe(transform, { factor: 2 }))).toMatchObject({
      kind: "pipe",
      before: { kind: "guarded", body: run, handler: definitionOf(alert) },
    });
  });

  test("goes on after a group, which makes a chord", () => {
    const sum = task("sum", (counts: readonly unknown[]) => counts.length);
    expect(compositionOf(group([job, job]).pipe(sum))).toMatchObject({
      kind: "pipe",
      before: { kind: "group", members: [run, run], mode: "all" },
      task: definitionOf(sum),
    });
  });

  test("takes a periodic task, which ignores the output", () => {
    const tick = periodic("tick", every("1d"), () => {});
    expect(compositionOf(store.job("x").pipe(tick))).toMatchObject({ task: definitionOf(tick) });
  });

  test("refuses what is no task, and what has no fields", () => {
    expect(() => untyped.pipe(job)).toThrow(
      expect.objectContaining({
        code: "TASKQ_OPTION",
        message: expect.stringMatching(/^pipe: expected a task, made by task\(\) or periodic\(\), got /),
      }),
    );
    for (const extra of [
      5,
      "x",
      null,
      [1],
      new Date(0),
      new Map(),
      new Uint8Array(1),
      () => 1,
      Promise.resolve({}),
    ]) {
      expect(() => untyped.pipe(transform, extra)).toThrow(
        /^pipe extra: expected an object with the fields to add to the output, got /,
      );
    }
  });
});

describe("onError", () => {
  test("guards the job, and may do so again", () => {
    const other = task("other", (_input: FailureReport) => {});
    expect(compositionOf(job.onError(alert).onError(other))).toEqual({
      kind: "guarded",
      body: { kind: "guarded", body: run, handler: definitionOf(alert) },
      handler: definitionOf(other),
    });
  });

  test("refuses what is no task", () => {
    expect(() => untyped.onError(() => {})).toThrow(
      optionError("onError: expected a task, made by task() or periodic(), got a function"),
    );
  });
});

describe("group", () => {
  test("holds its members in the order given, and they may be groups and pipelines", () => {
    const piped = job.pipe(transform, { factor: 2 });
    expect(compositionOf(group([piped, group([job]), job], { mode: "settled" }))).toEqual({
      kind: "group",
      members: [compositionOf(piped), { kind: "group", members: [run], mode: "all" }, run],
      mode: "settled",
    });
  });

  test("may be empty", () => {
    expect(compositionOf(group([]))).toEqual({ kind: "group", members: [], mode: "all" });
    expect(group([]).tasks).toEqual([]);
  });

  test("keeps its members when the array changes", () => {
    const jobs = [job];
    const grouped = group(jobs);
    jobs.push(job);
    expect(compositionOf(grouped)).toMatchObject({ members: [run] });
  });

  test("takes 10 000 members and no more", () => {
    const members = Array.from({ length: 10_000 }, () => job);
    expect(compositionOf(group(members))).toMatchObject({ members: { length: 10_000 } });
    members.push(job);
    expect(() => group(members)).toThrow(
      expect.objectContaining({
        code: "TASKQ_OPTION",
        message: expect.stringMatching(/^group: expected at most 10000 members, got 10001/),
      }),
    );
  });

  test.each<readonly [given: readonly unknown[], message: string]>([
    [[job, job], 'group: expected an array of jobs, got {"tasks":["page"]}'],
    [[[job, page.name]], "group member 1: expected a job, such as task.job(input), got 'page'"],
    // oxlint-disable-next-line no-sparse-arrays -- as it may come from JavaScript
    [[[job, , job]], "group member 1: expected a job, such as task.job(input), got undefined"],
    [[new Set([job])], "group: expected an array of jobs, got an instance of Set"],
    [[], "group: expected an array of jobs, got undefined"],
    [[[job], { mode: "any" }], "group mode: expected 'all' or 'settled', got 'any'"],
    [[[job], { modes: "all" }], "group: unknown option 'modes'; known are 'mode'"],
    [[[job], "settled"], "group: expected an object with 'mode', got 'settled'"],
  ])("is refused when it is none: %j", (given, message) => {
    expect(() => groupOf(...given)).toThrow(optionError(message));
  });
});
