/** The feed of events of a server that comes back with an older copy: a reader is told, and skips nothing. */
import { createQueue, task, type Queue, type QueueEvent } from "@taskq/core";
import { drain } from "@taskq/consumer";
import { describe, expect, test } from "vitest";
import { redisStorage } from "../src/index.js";
import { serverBinary } from "./servers/binary.js";
import { serverOfTest } from "./support/callers.js";
import { afterTest } from "./support/closing.js";
import { goBack, save } from "./support/rewinding.js";

const work = task("work", async (n: number) => n);

async function complete(queue: Queue<"work">, count: number): Promise<void> {
  await queue.enqueueMany(Array.from({ length: count }, (_, n) => work.job(n)));
  await drain(queue);
}

/** So many events from there. */
async function eventsOf(
  queue: Queue<"work">,
  from: string,
  count: number,
): Promise<readonly (QueueEvent & { readonly cursor: string })[]> {
  const found: (QueueEvent & { readonly cursor: string })[] = [];
  for await (const event of queue.events({ from })) {
    found.push(event);
    if (found.length === count) break;
  }
  return found;
}

describe.skipIf(serverBinary() === undefined)("the feed of a server that goes back", () => {
  test.each([1, 3])(
    "a cursor of what it has forgotten is refused, though as many jobs have ended since (partitions: %s)",
    async (partitions) => {
      const server = await serverOfTest();
      const queue = createQueue({ storage: redisStorage({ url: server.url, partitions }), tasks: { work } });
      afterTest(() => queue.close());
      const reader = queue.events({ from: "start" })[Symbol.asyncIterator]();
      const first = reader.next();
      await complete(queue, 5);
      await first;
      await reader.return?.();
      const before = await eventsOf(queue, "start", 5);
      await save(server);
      await complete(queue, 5);
      const forgotten = (await eventsOf(queue, "start", 10)).slice(5);
      await goBack(server);
      await complete(queue, 8);
      for (const { cursor } of forgotten) {
        const lost = eventsOf(queue, cursor, 1);
        await expect(lost).rejects.toMatchObject({ code: "TASKQ_EVENTS_LOST" });
      }
      const kept = before.at(-1)?.cursor ?? "";
      expect(await eventsOf(queue, kept, 8)).toHaveLength(8);
    },
  );
});
