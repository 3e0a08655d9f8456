import { task } from "@taskq/core";
import { describe, expect, test } from "vitest";
import { immediateQueue, storages } from "./storages.js";

const note = task("note", async (n: number) => n);

describe.each(storages)("what JavaScript may ask for on $name", ({ make }) => {
  const setUp = () => immediateQueue(make(), { note });
  type Asked = ReturnType<typeof setUp>;

  async function list(queue: Asked, filter: unknown): Promise<readonly string[]> {
    const ids: string[] = [];
    for await (const { id } of queue.jobs(filter as never)) ids.push(id);
    return ids;
  }

  test.each<[string, (queue: Asked) => unknown, string]>([
    ["a job by no id", (queue) => queue.job(undefined as never), "job id: expected a text that is not empty"],
    [
      "a job by a number",
      (queue) => queue.job(5 as never),
      "job id: expected a text that is not empty, got 5",
    ],
    ["why with no id", (queue) => queue.why(undefined as never), "why id: expected a text"],
    ["a retry with no id", (queue) => queue.retry(undefined as never), "retry id: expected a text"],
    [
      "a retry of a result",
      (queue) => queue.retry({ id: "a" } as never),
      `retry id: expected a text that is not empty, got {"id":"a"}`,
    ],
    [
      "jobs of a task by its name",
      (queue) => list(queue, { task: "note" }),
      "task: expected a task, made by task() or periodic(), got 'note'",
    ],
    [
      "jobs after a name that no job has",
      (queue) => list(queue, { after: "no-such-id" }),
      "'no-such-id', which is not known",
    ],
    ["revoking no task", (queue) => queue.revoke(undefined as never), "task: expected a task"],
    ["restoring no task", (queue) => queue.restore(undefined as never), "task: expected a task"],
    ["whether no task is revoked", (queue) => queue.isRevoked(undefined as never), "task: expected a task"],
    [
      "one id for many jobs",
      (queue) => queue.enqueueMany([note.job(2), note.job(3)], { id: "batch" } as never),
      "enqueueMany id: expected none for all jobs",
    ],
  ])("%s is refused, and changes nothing", async (_, ask, message) => {
    const queue = setUp();
    const { id } = await queue.enqueue(note.job(1));
    const refusal: unknown = await Promise.resolve(ask(queue)).catch((error: unknown) => error);
    expect(refusal).toMatchObject({
      code: "TASKQ_OPTION",
      message: expect.stringContaining(message) as string,
    });
    expect(await list(queue, {})).toEqual([id]);
    expect(await queue.isRevoked(note)).toBe(false);
  });

  test("one id for many jobs is refused in a handler too, whether they are joined or not", async () => {
    const codes: unknown[] = [];
    const many = task("many", async (_: void, { enqueueMany }) => {
      for (const join of [false, true]) {
        const options = { id: "batch", join } as never;
        codes.push(await enqueueMany([note.job(1)], options).catch(({ code }: { code: unknown }) => code));
      }
    });
    const queue = immediateQueue(make(), { many, note });
    await (await queue.enqueue(many.job())).wait();
    expect(codes).toEqual(["TASKQ_OPTION", "TASKQ_OPTION"]);
    expect((await queue.counts()).completed).toBe(1);
  });
});
