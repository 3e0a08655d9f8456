/** What is left of gates that nobody holds any more. */
import { plainJob } from "@taskq/conformance";
import { createIdMaker } from "@taskq/core/storage";
import { describe, expect, test } from "vitest";
import { serverBinary } from "./servers/binary.js";
import { ownServer } from "./support/own-server.js";
import { scan } from "./support/scan.js";
import { alone } from "./support/spread.js";
import { connect, newPrefix } from "./support/store.js";

const QUEUE = "main";
const DAY = 86_400_000;
const RETENTION = { completed: { for: DAY, max: 1e6 }, failed: { for: DAY, max: 1e6 } };
const makeId = createIdMaker();

describe.skipIf(serverBinary() === undefined)("gates", () => {
  const own = ownServer();

  test("a lock whose holder is gone leaves nothing behind where a job finds it open, and another gate closed", async () => {
    const { server } = own;
    const prefix = newPrefix();
    const storage = connect(server, prefix);
    const start = Date.now();
    await storage.open({ queue: QUEUE, retention: RETENTION, now: start });
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
      plainJob(makeId(now), { due: now, gates: [used] }),
      plainJob(makeId(now), { due: now, gates: [door, used], expiresAt: now + 1_000 }),
    ];
    await storage.enqueue({ queue: QUEUE, flows: jobs.map(alone), now });
    const step = async (request: number, at: number): Promise<void> => {
      const claim = { begin: 10, ahead: 0, lease: DAY };
      const asked = {
        queue: QUEUE,
        owner: "owner",
        request,
        tasks: ["work"],
        settled: [],
        begun: [],
        now: at,
      };
      await storage.step({ ...asked, claim });
    };
    await step(1, now);
    await step(2, now + 5_000);
    await expect(scan(server.url, prefix, QUEUE)).resolves.toBeUndefined();
    await storage.close();
  });
});
