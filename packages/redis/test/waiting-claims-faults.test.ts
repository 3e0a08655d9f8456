/** Claims that wait at the server while messages, replies and connections get lost. */
import { setTimeout as sleep } from "node:timers/promises";
import type { StepAnswer } from "@taskq/core/storage";
import { Redis } from "ioredis";
import { describe, expect, test, vi } from "vitest";
import { serverBinary } from "./servers/binary.js";
import { startProxy } from "./servers/proxy.js";
import { afterTest } from "./support/closing.js";
import { ownServer } from "./support/own-server.js";
import { channelOf, endsOf, killListeners, PATIENCE, waitingAt, type Waiting } from "./support/waiting.js";

describe.skipIf(serverBinary() === undefined)("a claim that waits", () => {
  const own = ownServer();
  const SOON = { timeout: PATIENCE, interval: 1 };
  /** Connections of a storage, as they are made. */
  const CALLS = 1;

  async function throughProxy(timeout: "1s" | "5s") {
    const proxy = await startProxy(own.server.port);
    afterTest(() => proxy.close());
    return { proxy, ...(await waitingAt(own, { url: proxy.url, timeout })) };
  }

  /** From now on the server believes that what is handed over is heard. */
  async function loseMessages({ prefix }: Waiting): Promise<void> {
    const channel = await channelOf(own.redis, prefix);
    const other = new Redis(own.server.url);
    afterTest(() => other.disconnect());
    await other.subscribe(channel);
    await killListeners(own.redis);
  }

  const claims = (key: Waiting["key"]): Promise<number> => own.redis.hlen(key("claims"));

  test("is taken back once by a step that is sent again, which is told what it has claimed", async () => {
    const { proxy, key, ask, wait, storeTogether } = await throughProxy("5s");
    await wait();
    const ids = await storeTogether(2);
    proxy.freeze();
    // Not the one under which its claim waits: another step was sent between, in the other lane.
    const asked = ask({ request: 1_000 });
    await sleep(50);
    proxy.deliver();
    await vi.waitFor(async () => expect(await claims(key)).toBe(1), PATIENCE);
    proxy.cut();
    expect(idsOf(await asked)).toEqual(ids);
  });

  test("is handed a job once that comes after a step whose answer got lost, which is asked again", async () => {
    const { proxy, key, ask, wait, store, storeTogether } = await throughProxy("1s");
    await wait();
    await storeTogether(2);
    const claimed = await ask();
    proxy.freezeAll(CALLS);
    const step = { request: 1_000, settled: endsOf(claimed) };
    const asked = ask(step).catch(() => undefined);
    await sleep(50);
    proxy.deliver();
    await vi.waitFor(async () => expect(await own.redis.zcard(key("waiting"))).toBe(1), PATIENCE);
    await sleep(700);
    const id = await store();
    expect(await asked).toBe(undefined);
    proxy.thaw();
    const answer = await ask(step);
    const next = await ask({ request: 1_001 });
    expect(idsOf(answer, next)).toEqual([id]);
  });

  test("is asked for by the next claim if the message got lost, though a step without one came between", async () => {
    const waiting = await waitingAt(own);
    const { ask, wait, store } = waiting;
    await wait();
    await loseMessages(waiting);
    const id = await store();
    expect(idsOf(await ask({ claim: undefined }), await ask())).toEqual([id]);
  });

  test("gives back what it was handed, also if the message got lost, when its owner ends", async () => {
    const waiting = await waitingAt(own);
    const { key, ask, wait, store } = waiting;
    await wait();
    await loseMessages(waiting);
    await store();
    expect(await claims(key)).toBe(1);
    await ask({ claim: undefined, last: true });
    expect([await claims(key), await own.redis.zcard(key("ready"))]).toEqual([0, 1]);
  });

  test("is handed a job also where somebody has removed whose claims were answered", async () => {
    const { proxy, key, ask, wait, store, heard } = await throughProxy("5s");
    await wait();
    proxy.freeze(CALLS);
    const asked = ask();
    await sleep(50);
    const before = heard();
    const id = await store();
    await vi.waitFor(() => expect(heard()).toBeGreaterThan(before), SOON);
    await own.redis.del(key("owners"));
    proxy.deliver();
    await sleep(50);
    proxy.cut();
    expect(idsOf(await asked, await ask())).toEqual([id]);
  });

  test("that goes back leaves alone what is known of a step of the other lane that was not answered", async () => {
    const { proxy, key, ask, wait, store, settle } = await throughProxy("1s");
    await wait();
    proxy.freezeAll(CALLS);
    const step = { request: 1_000, lane: 1 };
    await ask(step).catch(() => {});
    proxy.thaw();
    await store();
    await vi.waitFor(async () => expect(await own.redis.zcard(key("ready"))).toBe(1), SOON);
    await settle(await ask());
    expect(idsOf(await ask(step))).toEqual([]);
    const id = await store();
    // The first copies of that step are carried out now, and claim nothing.
    proxy.deliver();
    await sleep(100);
    expect(idsOf(await ask())).toEqual([id]);
  });

  test("is handed a job once of which it is told twice", async () => {
    const { prefix, ask, wait, store, settle, heard } = await waitingAt(own);
    await wait();
    const channel = await channelOf(own.redis, prefix);
    const other = new Redis(own.server.url);
    afterTest(() => other.disconnect());
    const messages: Buffer[] = [];
    other.on("pmessageBuffer", (_: string, __: Buffer, message: Buffer) => void messages.push(message));
    await other.psubscribe(channel);
    const before = heard();
    const id = await store();
    await vi.waitFor(() => expect(heard() - before + messages.length).toBeGreaterThan(1), SOON);
    const answer = await ask();
    expect(idsOf(answer)).toEqual([id]);
    await own.redis.publish(channel, messages[0] ?? "");
    await sleep(100);
    expect((await settle(answer)).settled).toEqual(["applied"]);
  });
});

function idsOf(...answers: readonly StepAnswer[]): string[] {
  return answers.flatMap(({ claimed }) => claimed.map(({ id }) => id));
}
