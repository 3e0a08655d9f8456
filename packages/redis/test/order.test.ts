import { createQueue, task } from "@taskq/core";
import { engineOf, InlineRunner } from "@taskq/core/engine";
import { describe, expect, onTestFinished, test } from "vitest";
import { redisStorage } from "../src/index.js";
import { hasTestServer, startTestServer } from "./servers/test-server.js";

describe.skipIf(!hasTestServer)("order", () => {
  test("jobs with ids of their own and others run in the order of enqueue", async () => {
    const server = await startTestServer();
    onTestFinished(() => server.stop());
    const ran: number[] = [];
    const note = task("note", async (number: number) => void ran.push(number));
    const { url, keyPrefix } = server;
    const queue = createQueue({ storage: redisStorage({ url, keyPrefix }), tasks: { note } });
    onTestFinished(() => queue.close());
    // The server is told a script with its first call, which may then come after others.
    await queue.enqueue(note.job(-2));
    await queue.enqueue(note.job(-1), { id: "named" });
    const numbers = Array.from({ length: 60 }, (_, number) => number);
    const pending = numbers.map((number) =>
      queue.enqueue(note.job(number), number % 3 === 0 ? {} : { id: `${99 - number}` }),
    );
    await Promise.all(pending);
    await new InlineRunner(engineOf(queue)).runDue();
    expect(ran).toEqual([-2, -1, ...numbers]);
  });
});
