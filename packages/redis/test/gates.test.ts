/** What is left of gates that nobody holds any more. */
import { describe, expect, test } from "vitest";
import { serverBinary } from "./servers/binary.js";
import { ownServer } from "./support/own-server.js";
import { scan } from "./support/scan.js";
import { alone, newJob, opened, QUEUE, step } from "./support/spread.js";
import { newPrefix } from "./support/store.js";

const DAY = 86_400_000;

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
});
