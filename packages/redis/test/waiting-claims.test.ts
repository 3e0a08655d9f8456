/** Claims that wait at the server for a job to come. */
import { setTimeout as sleep } from "node:timers/promises";
import type { StepAnswer } from "@taskq/core/storage";
import { Redis } from "ioredis";
import { describe, expect, test, vi } from "vitest";
import { serverBinary } from "./servers/binary.js";
import { afterTest } from "./support/closing.js";
import { ownServer } from "./support/own-server.js";
import { consumerOf, double, processOf, slow, warm } from "./support/processes.js";
import { QUEUE } from "./support/spread.js";
import { newPrefix } from "./support/store.js";
import { channelOf, killListeners, PATIENCE, waitingAt, type Waiting } from "./support/waiting.js";

describe.skipIf(serverBinary() === undefined)("a claim that found nothing", () => {
  const own = ownServer();

  const setUp = (): Promise<Waiting> => waitingAt(own);

  test("is handed the job that comes, without asking for it", async () => {
    const { key, ask, wait, store, settle, heard } = await setUp();
    // One that is not taken within a moment is given back: on a slow machine it may take another attempt.
    await vi.waitFor(async () => {
      await wait();
      const before = heard();
      const id = await store();
      await vi.waitFor(() => expect(heard()).toBeGreaterThan(before), { timeout: PATIENCE, interval: 1 });
      const [ready, claims] = await Promise.all([
        own.redis.zcard(key("ready")),
        own.redis.hlen(key("claims")),
      ]);
      const calls = await callsOf(own.redis);
      const answer = await ask();
      const callsAfter = await callsOf(own.redis);
      await settle(answer);
      expect(answer.claimed).toMatchObject([{ id, task: "work", attempt: 1, crashes: 0, begun: true }]);
      expect([ready, claims, callsAfter - calls, answer.more]).toEqual([0, 1, 0, true]);
      // As nothing was ready: else consumers would ask for none ahead.
      expect(answer.passedOver).toBe(false);
    }, PATIENCE);
  });

  test("is handed one, and the next waits for whoever asks", async () => {
    const { ask, wait, store } = await setUp();
    await wait();
    const ids = [await store(), await store()];
    expect(await claimedBy(ask, 2)).toEqual(ids);
  });

  test("gives back what nobody takes, as if it had never been claimed", async () => {
    const { key, ask, wait, store } = await setUp();
    await wait();
    const id = await store();
    await vi.waitFor(async () => expect(await own.redis.zcard(key("ready"))).toBe(1), PATIENCE);
    expect(await own.redis.hlen(key("claims"))).toBe(0);
    // Its number was that of the claim that waited: the first one is told that there is more.
    expect(await claimedBy(ask, 1)).toEqual([id]);
  });

  test("is taken back by the step of a consumer that stops, and what has come by then goes back", async () => {
    const { key, ask, wait, store } = await setUp();
    await wait();
    const [id] = await Promise.all([store(), ask({ claim: undefined, last: true })]);
    await vi.waitFor(async () => expect(await own.redis.zcard(key("ready"))).toBe(1), PATIENCE);
    expect(await own.redis.zcard(key("waiting"))).toBe(0);
    expect(await claimedBy(ask, 1)).toEqual([id]);
  });

  test("learns of its job from the next step if what was published got lost", async () => {
    const { prefix, key, ask, wait, store } = await setUp();
    await wait();
    // A server that says that it was heard, and by nobody who matters.
    const channel = await channelOf(own.redis, prefix);
    const other = new Redis(own.server.url);
    afterTest(() => other.disconnect());
    await other.subscribe(channel);
    await killListeners(own.redis);
    const id = await store();
    expect(await own.redis.hlen(key("claims"))).toBe(1);
    const answer = await ask();
    expect(answer.claimed.map((job) => job.id)).toEqual([id]);
  });

  test("of a process that was killed is handed nothing", async () => {
    const { key, wait, store, storing } = await setUp();
    await wait();
    await killListeners(own.redis);
    const id = await store();
    expect(await own.redis.hlen(key("claims"))).toBe(0);
    const claim = { begin: 1, ahead: 0, lease: 30_000 };
    const asked = { queue: QUEUE, owner: "other", request: 1, tasks: ["work"], settled: [], begun: [] };
    expect((await storing.step({ ...asked, claim })).claimed.map((job) => job.id)).toEqual([id]);
  });

  test.each([
    ["of a task that it does not know", { task: "other" }],
    ["that is due later", { due: Date.now() + 3_600_000 }],
    ["that may run only once", { delivery: "at-most-once" as const }],
    [
      "whose gate may be closed",
      { gates: [{ kind: "lock" as const, key: "k", max: 1, per: undefined, onBusy: "wait" as const }] },
    ],
    ["with a long body", { body: new Uint8Array(2_000).fill(120) }],
  ])("is handed no job %s", async (_, options) => {
    const { key, wait, store } = await setUp();
    await wait();
    await store(options);
    expect(await own.redis.hlen(key("claims"))).toBe(0);
  });

  test("is handed none of a queue, or a task, that is paused", async () => {
    const { key, ask, wait, store, settle, storing } = await setUp();
    for (const task of [undefined, "work"]) {
      await wait();
      await storing.control({ queue: QUEUE, task, change: { kind: "pause" } });
      const id = await store();
      expect(await own.redis.hlen(key("claims"))).toBe(0);
      await storing.control({ queue: QUEUE, task, change: { kind: "resume" } });
      const answer = await ask();
      expect(answer.claimed.map((job) => job.id)).toEqual([id]);
      await settle(answer);
    }
  });

  test("is handed a job once where somebody else hears all channels", async () => {
    const watcher = new Redis(own.server.url);
    afterTest(() => watcher.disconnect());
    await watcher.psubscribe("*");
    const { ask, wait, store, heard } = await setUp();
    await wait();
    const before = heard();
    const id = await store();
    await vi.waitFor(() => expect(heard()).toBeGreaterThan(before), { timeout: PATIENCE, interval: 1 });
    const claimed = [...(await ask()).claimed, ...(await ask()).claimed];
    expect(claimed.map((job) => job.id)).toEqual([id]);
  });

  test("is handed nothing by a process that may not publish it", async () => {
    const channels = ["wake", "wake:final", "wake:beat:*"].map((channel) => `&*:${channel}`);
    await own.redis.acl("SETUSER", "few", "on", ">few", "~*", "+@all", "resetchannels", ...channels);
    const { key, ask, wait, store } = await waitingAt(own, {
      storesAt: own.server.url.replace("//", "//few:few@"),
    });
    await wait();
    const id = await store();
    const left = await Promise.all([
      own.redis.zcard(key("waiting")),
      own.redis.hlen(key("claims")),
      own.redis.zcard(key("active")),
      own.redis.zcard(key("ready")),
    ]);
    expect(left).toEqual([0, 0, 0, 1]);
    expect(await claimedBy(ask, 1)).toEqual([id]);
  });

  test("takes nothing that anybody else has published", async () => {
    const { prefix, ask, wait, heard } = await setUp();
    await wait();
    const channel = await channelOf(own.redis, prefix);
    await sleep(50);
    const before = heard();
    for (const message of [
      Buffer.from([]),
      Buffer.from([0xc1]),
      Buffer.alloc(100, 0x91),
      Buffer.from("hello"),
    ]) {
      await own.redis.publish(channel, message);
    }
    await sleep(50);
    expect(heard()).toBe(before);
    expect((await ask()).claimed).toEqual([]);
  });

  test("is handed a job once that comes while a step takes it back", async () => {
    const { ask, wait, store, settle } = await setUp();
    for (let attempt = 0; attempt < 60; attempt += 1) {
      await wait();
      // On connections of their own, in any order.
      const [id, first] = await Promise.all([store(), ask()]);
      const answers = [first];
      await vi.waitFor(async () => {
        if (answers.every(({ claimed }) => claimed.length === 0)) answers.push(await ask());
        expect(answers.flatMap(({ claimed }) => claimed.map((job) => job.id))).toEqual([id]);
      }, PATIENCE);
      // Longer than a message takes.
      await sleep(5);
      for (const answer of answers)
        expect((await settle(answer)).settled).toEqual(answer.claimed.map(() => "applied"));
      expect((await ask()).claimed).toEqual([]);
    }
  });

  test("is handed the jobs of another process one by one, each of which runs once", async () => {
    const prefix = newPrefix();
    const storing = processOf({ url: own.server.url, prefix });
    const working = processOf({ url: own.server.url, prefix });
    await consumerOf(working.queue);
    await warm(storing);
    const before = await handedBy(own.redis);
    for (let n = 0; n < 50; n += 1) {
      expect(await (await storing.queue.enqueue(double.job({ n }))).wait()).toEqual({ twice: 2 * n });
    }
    expect((await handedBy(own.redis)) - before).toBeGreaterThan(20);
    // While one runs, the others are handed out too.
    const long = await storing.queue.enqueue(slow.job({ n: 200 }));
    for (let n = 0; n < 10; n += 1) await (await storing.queue.enqueue(double.job({ n }))).wait();
    expect(await long.wait()).toBe(200);
    const { completed, active } = await storing.queue.counts();
    expect([completed, active]).toEqual([81, 0]);
  });
});

/** Ids of so many jobs, in the order in which they are handed out. */
async function claimedBy(ask: () => Promise<StepAnswer>, count: number): Promise<string[]> {
  const ids: string[] = [];
  await vi.waitFor(async () => {
    const { claimed } = await ask();
    ids.push(...claimed.map(({ id }) => id));
    expect(ids.length).toBe(count);
  }, PATIENCE);
  return ids;
}

async function callsOf(redis: Redis): Promise<number> {
  return Number(/cmdstat_evalsha:calls=(\d+)/.exec(await redis.info("commandstats"))?.[1] ?? 0);
}

/** Members of what waits are removed one by one by whoever hands over. */
async function handedBy(redis: Redis): Promise<number> {
  return Number(/cmdstat_publish:calls=(\d+)/.exec(await redis.info("commandstats"))?.[1] ?? 0);
}
