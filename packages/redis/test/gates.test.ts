/** What is left of gates that nobody holds any more. */
import { createQueue, moveQueue, type Storage } from "@taskq/core";
import type { KeysRequest, StorageContract } from "@taskq/core/storage";
import { memoryStorage } from "@taskq/memory";
import { describe, expect, test } from "vitest";
import { keyBase } from "../src/names.js";
import { afterTest } from "./support/closing.js";
import { serverBinary } from "./servers/binary.js";
import { ownServer } from "./support/own-server.js";
import { scan } from "./support/scan.js";
import { alone, newJob, opened, QUEUE, step } from "./support/spread.js";
import { newPrefix } from "./support/store.js";

const DAY = 86_400_000;
const START = Date.now();
const TTL = 1_000;

function ask(
  storage: StorageContract,
  kind: KeysRequest["kind"],
  ticket: string,
  { now = START, wait }: { readonly now?: number; readonly wait?: number } = {},
): Promise<unknown> {
  const request = { kind, name: "door", ticket, owner: ticket, max: 1, ttl: TTL, wait, queue: QUEUE, now };
  return storage.keys(request);
}

describe.skipIf(serverBinary() === undefined)("gates", () => {
  const own = ownServer();

  test("a lock whose holder is gone leaves nothing behind where a job finds it open, and another gate closed", async () => {
    const { url } = own.server;
    const keyPrefix = newPrefix();
    const storage = await opened({ url, keyPrefix });
    const start = Date.now();
    const held = {
      kind: "acquire",
      name: "door",
      ticket: "gone",
      owner: "gone",
      max: 1,
      ttl: 1_000,
      wait: undefined,
    } as const;
    await storage.keys({ ...held, queue: QUEUE, now: start });
    const now = start + DAY;
    const used = { kind: "limit", key: "rate", max: 1, per: 4_000, onBusy: "wait" } as const;
    const door = { kind: "lock", key: "door", max: 1, per: undefined, onBusy: "wait" } as const;
    const jobs = [
      newJob({ due: now, gates: [used] }),
      newJob({ due: now, gates: [door, used], expiresAt: now + 1_000 }),
    ];
    await storage.enqueue({ queue: QUEUE, flows: jobs.map(alone), now });
    const claim = { begin: 10, ahead: 0, lease: DAY };
    await step(storage, { claim, now });
    await step(storage, { claim, now: now + 5_000 });
    await expect(scan(url, keyPrefix, QUEUE)).resolves.toBeUndefined();
  });

  /** Gates, and what is to be looked at of them. */
  async function remains(keyPrefix: string): Promise<readonly string[]> {
    const base = keyBase(keyPrefix, QUEUE);
    const expiry = await own.redis.zrange(`${base}expiry`, "0", "-1");
    return [...(await own.redis.hkeys(`${base}gates`)), ...expiry.filter((name) => name.startsWith("g:"))];
  }

  test("a lock whose holder is gone leaves nothing behind, though nobody ever asks for it again", async () => {
    const keyPrefix = newPrefix();
    const storage = await opened({ url: own.server.url, keyPrefix });
    await ask(storage, "acquire", "gone");
    const claim = { begin: 1, ahead: 0, lease: DAY };
    await step(storage, { claim, now: START + TTL - 1 });
    expect(await remains(keyPrefix)).toEqual(["lock:door", "g:lock:door"]);
    await step(storage, { claim, now: START + 2 * TTL });
    expect(await remains(keyPrefix)).toEqual([]);
  });

  test("nor one that was renewed, or handed on in its line, which is held as long as it was", async () => {
    const keyPrefix = newPrefix();
    const storage = await opened({ url: own.server.url, keyPrefix });
    const claim = { begin: 1, ahead: 0, lease: DAY };
    await ask(storage, "acquire", "first");
    await ask(storage, "acquire", "second", { now: START + 100, wait: DAY });
    await ask(storage, "renew", "first", { now: START + 600 });
    await step(storage, { claim, now: START + 1_500 });
    expect(await ask(storage, "inspect", "first", { now: START + 1_500 })).toMatchObject({
      holders: [{ owner: "first" }],
    });
    await ask(storage, "release", "first", { now: START + 1_550 });
    await ask(storage, "renew", "second", { now: START + 1_560 });
    await step(storage, { claim, now: START + 2_600 });
    expect(await remains(keyPrefix)).toEqual([]);
  });

  test("nor one that was given back", async () => {
    const keyPrefix = newPrefix();
    const storage = await opened({ url: own.server.url, keyPrefix });
    await ask(storage, "acquire", "first");
    await ask(storage, "release", "first");
    expect(await remains(keyPrefix)).toEqual([]);
  });

  test("nor one that came with a queue", async () => {
    const keyPrefix = newPrefix();
    const storage = await opened({ url: own.server.url, keyPrefix });
    const here = createQueue({ storage: memoryStorage(), tasks: {}, name: QUEUE });
    const there = createQueue({ storage: storage as unknown as Storage, tasks: {}, name: QUEUE });
    afterTest(async () => void (await Promise.all([here.close(), there.close()])));
    await here.lock("door", { ttl: "1m" }).acquire();
    await moveQueue(here, there);
    expect(await remains(keyPrefix)).toEqual(["lock:door", "g:lock:door"]);
    await step(storage, { claim: { begin: 1, ahead: 0, lease: DAY }, now: Date.now() + DAY });
    expect(await remains(keyPrefix)).toEqual([]);
  });
});
