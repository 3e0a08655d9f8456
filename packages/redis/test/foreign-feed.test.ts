/** What others have put in the stream of the feed of events. */
import { createQueue, moveQueue, task, type Queue, type TaskqError } from "@taskq/core";
import { drain } from "@taskq/consumer";
import { describe, expect, test } from "vitest";
import { redisStorage } from "../src/index.js";
import { ask } from "./servers/ask.js";
import { serverBinary } from "./servers/binary.js";
import { serverOfTest } from "./support/callers.js";
import { afterTest } from "./support/closing.js";

const work = task("work", async (n: number) => n);

async function complete(queue: Queue<"work">, count: number): Promise<void> {
  await queue.enqueueMany(Array.from({ length: count }, (_, n) => work.job(n)));
  await drain(queue);
}

/** Has the feed written from now on. */
async function followed(queue: Queue<"work">): Promise<void> {
  const reader = queue.events({ from: "start" })[Symbol.asyncIterator]();
  const first = reader.next();
  await complete(queue, 1);
  await first;
  await reader.return?.();
}

/** So many events from there: the ids of their jobs, and the cursor of the last. */
async function read(queue: Queue<"work">, from: string, count: number) {
  const ids: string[] = [];
  let last = from;
  for await (const { id, cursor } of queue.events({ from })) {
    ids.push(id);
    last = cursor;
    if (ids.length === count) break;
  }
  return { ids, last };
}

/** Commands of others, on the key of the stream and behind the number of its last event. */
const OTHERS: Readonly<Record<string, (key: string, last: number) => string[][]>> = {
  "an entry of now": (key) => [["XADD", key, "*", "a", "b"]],
  "an entry among ours": (key, last) => [["XADD", key, `${last}-7`, "a", "b"]],
  "an entry that looks like ours": (key, last) => [["XADD", key, `${last}-7`, "", "\xc1"]],
  "an entry that was removed again": (key) => [
    ["XADD", key, "999999999999999-1", "a", "b"],
    ["XDEL", key, "999999999999999-1"],
  ],
  "a stream of their own": (key) => [
    ["DEL", key],
    ["XADD", key, "*", "a", "b"],
  ],
};

describe.skipIf(serverBinary() === undefined)("the stream of the feed, in which others write", () => {
  for (const partitions of [1, 3]) {
    test.each(Object.entries(OTHERS))(
      `%s: jobs end, and readers go on or are told (partitions: ${partitions})`,
      async (_, commands) => {
        const server = await serverOfTest({ arguments: ["--appendonly", "yes"] });
        const storage = redisStorage({ url: server.url, partitions });
        const queue = createQueue({ storage, tasks: { work } });
        afterTest(() => queue.close());
        await followed(queue);
        await complete(queue, 5);
        const before = await read(queue, "start", 6);
        const last = Number(before.last.split(".")[1]);
        await ask(server.port, commands("taskq:{default}:feed", last));
        await complete(queue, 5);
        expect((await queue.counts()).completed).toBe(11);
        const from = await read(queue, before.last, 5).then(
          () => before.last,
          ({ code }: TaskqError) => code,
        );
        expect(["TASKQ_EVENTS_LOST", before.last]).toContain(from);
        const found = await read(queue, from === before.last ? from : "start", 5);
        expect(new Set(found.ids).size).toBe(5);
        for (const id of found.ids) expect(before.ids).not.toContain(id);
        await complete(queue, 5);
        const next = await read(queue, found.last, 5);
        for (const id of next.ids) expect([...before.ids, ...found.ids]).not.toContain(id);
      },
    );
  }

  test("what others have put there does not move along", async () => {
    const server = await serverOfTest({ arguments: ["--appendonly", "yes"] });
    const [from, to] = ["from", "to"].map((keyPrefix) => {
      const queue = createQueue({ storage: redisStorage({ url: server.url, keyPrefix }), tasks: { work } });
      afterTest(() => queue.close());
      return queue;
    }) as [Queue<"work">, Queue<"work">];
    await followed(from);
    await complete(from, 5);
    const key = "from:{default}:feed";
    await ask(server.port, [
      ["XADD", key, "6-7", "a", "b"],
      ["XADD", key, "*", "a", "b"],
    ]);
    const { last } = await read(from, "start", 6);
    await ask(server.port, [["XADD", key, "*", "a", "b"]]);
    await moveQueue(from, to);
    await complete(to, 3);
    expect((await read(to, last, 3)).ids).toHaveLength(3);
  });
});
