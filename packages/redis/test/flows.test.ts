import { createConsumer } from "@taskq/consumer";
import { createQueue, group, task, type Job, type Outcome } from "@taskq/core";
import { engineOf, InlineRunner } from "@taskq/core/engine";
import { STORED_STATES } from "@taskq/core/storage";
import { Redis } from "ioredis";
import { describe, expect, onTestFinished, test } from "vitest";
import { redisStorage } from "../src/index.js";
import { hasTestServer, startTestServer } from "./servers/test-server.js";
import { alone, chain, newJob, opened, QUEUE, step } from "./support/spread.js";

const broken = task("broken", { retries: 1 }, async (): Promise<number> => {
  throw new Error("member broke");
});
const next = task("next", async (given: number) => given);
const errors = task("errors", async (outcomes: readonly Outcome[]) =>
  outcomes.map((outcome) => (outcome.state === "failed" ? outcome.error.message : outcome.state)),
);
const lone = task(
  "lone",
  { unique: { key: "lone", while: "unfinished", onConflict: "replace" } },
  async () => 0,
);
const replacing = task("replacing", async (given: number, { enqueue }) => {
  await enqueue(lone.job(), { join: true });
  return given;
});
const sum = task("sum", async (numbers: readonly number[]) => numbers.length);
const hasty = task("hasty", async (count: number, { progress }) => {
  for (let told = 1; told <= count; told += 1) void progress(told);
});
const brief = task("brief", async (count: number, { log }) => log.info(`told ${count}`));
const tasks = { broken, next, errors, lone, replacing, sum, hasty, brief };

async function setUp() {
  const server = await startTestServer();
  onTestFinished(() => server.stop());
  const { url, keyPrefix } = server;
  const queue = createQueue({ storage: redisStorage({ url, keyPrefix }), tasks });
  onTestFinished(() => queue.close());
  return { queue, url, run: () => new InlineRunner(engineOf(queue)).runDue() };
}

describe.skipIf(!hasTestServer)("flows", () => {
  // Looking along it from each stage held the server for longer than a call may take.
  test("a pipe of 4,000 stages is restored and retried", async () => {
    const { queue, run } = await setUp();
    let job: Job<number, "broken" | "next"> = broken.job();
    for (let stage = 1; stage < 4_000; stage += 1) job = job.pipe(next);
    const result = await queue.enqueue(job);
    const [first] = result.stages;
    expect(await result.revoke()).toBe(true);
    expect(await result.restore()).toBe(true);
    await run();
    await run();
    expect([await first?.state(), await result.state()]).toEqual(["failed", "skipped"]);
    expect(await queue.retry(first?.id ?? "")).toBe(true);
    expect([await first?.state(), await result.state()]).toEqual(["ready", "blocked"]);
  }, 60_000);

  test.each([
    ["a little", 5_000],
    ["by days", 200_000_000],
  ])(
    "an id that is given again once the clock was set back %s is none of the job before",
    async (_what, back) => {
      const server = await startTestServer();
      onTestFinished(() => server.stop());
      const storage = await opened({ url: server.url, keyPrefix: server.keyPrefix });
      let now = Date.now();
      const keep = { completed: 1_000, failed: 1_000 };
      const revoke = (ids: readonly string[], scope: "flow" | "later") =>
        storage.amend({ queue: QUEUE, ids, change: { kind: "revoke", scope }, now });
      const states = async (...ids: readonly string[]) =>
        (await storage.read({ queue: QUEUE, ids, now })).map((record) => record?.state);
      const claimed = async (id: string) => {
        const claim = { begin: 1, ahead: 0, lease: 200_000, ids: [id] };
        return (await step(storage, { claim, now })).claimed[0];
      };
      const complete = async (one: { readonly id: string; readonly fence: number } | undefined) => {
        if (one === undefined) throw new Error("nothing was claimed");
        const { id, fence } = one;
        const outcome = { kind: "completed", result: undefined } as const;
        await step(storage, { now, settled: [{ id, fence, startedAt: now, outcome, add: undefined }] });
      };
      const make = (more: Parameters<typeof newJob>[0] = {}) => newJob({ due: now, ...more });
      const [running, last] = [make(), make({ due: now + 1 })];
      const flows = [
        chain(running, make({ id: "waiting", keep })),
        chain(make({ id: "source", keep }), last),
      ];
      await storage.enqueue({ queue: QUEUE, flows, now });
      const held = await claimed(running.id);
      await complete(await claimed("source"));
      await revoke(["waiting", last.id], "later");
      now += 86_400_001;
      await storage.purge({ queue: QUEUE, limit: 10, now });
      expect(await states("waiting", "source")).toEqual([undefined, undefined]);
      now -= back;
      const other = make();
      const anew = [chain(other, make({ id: "waiting" })), alone(make({ id: "source" }))];
      await storage.enqueue({ queue: QUEUE, flows: anew, now });
      await revoke([last.id], "flow");
      expect(await states("source", "waiting")).toEqual(["ready", "blocked"]);
      await complete(held);
      expect(await states("waiting")).toEqual(["blocked"]);
      await complete(await claimed(other.id));
      expect(await states("waiting")).toEqual(["ready"]);
    },
  );

  test("the states of jobs are counted in the order in which jobs pass through them", async () => {
    const { queue, run } = await setUp();
    await queue.enqueue(next.job(1));
    await run();
    const counts = await queue.counts();
    expect(Object.keys(counts)).toEqual([...STORED_STATES]);
    expect(counts.completed).toBe(1);
  });

  test("a group that failed is told with the error of its member, also within a settled one", async () => {
    const { queue, run } = await setUp();
    const members = [broken.job(), broken.job().pipe(next), group([broken.job()])] as const;
    const bare = await Promise.all(members.map((member) => queue.enqueue(group([member]))));
    const groups = members.map((member) => group([member]));
    const settled = await queue.enqueue(group(groups, { mode: "settled" }).pipe(errors));
    await run();
    for (const result of bare) {
      const id = result.stages[0]?.id;
      await expect(result.wait()).rejects.toMatchObject({ id, task: "broken", attempts: 2 });
    }
    expect(await settled.wait()).toEqual(["member broke", "member broke", "member broke"]);
  });

  test("what a handler says last is kept before its job ends, also by a server that does not know the script for it", async () => {
    const { queue, url } = await setUp();
    const redis = new Redis(url);
    onTestFinished(() => redis.disconnect());
    await using consumer = createConsumer(queue);
    await consumer.start();
    const run = async (last: typeof brief | typeof hasty) => {
      await redis.script("FLUSH");
      // From here on the server knows how to settle, and nothing of notes.
      for (let n = 0; n < 3; n += 1) await (await queue.enqueue(next.job(n))).wait();
      const result = await queue.enqueue(last.job(3));
      await result.wait();
      return result;
    };
    expect(await (await run(brief)).logs()).toMatchObject([{ message: "told 3" }]);
    expect(await (await run(hasty)).progress()).toBe(3);
  });

  test("a large group fails to its end, although what the end of a run adds replaces one of its members", async () => {
    const { queue, run } = await setUp();
    const numbers = Array.from({ length: 600 }, (_, index) => next.job(index));
    const result = await queue.enqueue(group([lone.job(), ...numbers]).pipe(sum), { delay: "1h" });
    await queue.enqueue(replacing.job(1).pipe(next));
    await run();
    expect(await result.peek()).toMatchObject({ state: "skipped" });
    expect(await queue.counts()).toMatchObject({ blocked: 0, skipped: 601, cancelled: 1 });
  });

  test("revoking a flow that was there already, under its id, cancels all of it", async () => {
    const { queue } = await setUp();
    const flow = next.job(1).pipe(next);
    const first = await queue.enqueue(flow, { id: "flow", delay: "1h" });
    const again = await queue.enqueue(flow, { id: "flow", delay: "1h" });
    expect([again.existing, await again.revoke()]).toEqual([true, true]);
    const states = await Promise.all(first.stages.map((stage) => stage.state()));
    expect(states).toEqual(["cancelled", "cancelled"]);
  });
});
