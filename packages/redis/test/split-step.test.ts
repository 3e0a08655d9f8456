/** A step of which a part goes ahead. */
import { memoryStorage } from "@taskq/memory";
import type { Settlement, StepAnswer, StorageContract } from "@taskq/core/storage";
import { describe, expect, test } from "vitest";
import { hasTestServer, startTestServer } from "./servers/test-server.js";
import { afterTest } from "./support/closing.js";
import { alone, newJob, QUEUE, step } from "./support/spread.js";
import { connect } from "./support/store.js";

const START = 1_800_000_000_000;
const RETENTION = { completed: { for: 1e9, max: 1e6 }, failed: { for: 1e9, max: 1e6 } };

/** Settles many runs at once, of which one is settled a second time, otherwise; answers that, and how it is then. */
async function settleTwice(
  storage: StorageContract,
): Promise<readonly [StepAnswer["settled"], string | undefined]> {
  afterTest(() => storage.close());
  await storage.open({ queue: QUEUE, retention: RETENTION, now: START });
  const jobs = Array.from({ length: 40 }, () => newJob({ due: START, task: "work" }));
  await storage.enqueue({ queue: QUEUE, flows: jobs.map(alone), now: START });
  const claim = { begin: jobs.length, ahead: 0, lease: 30_000 };
  const { claimed } = await step(storage, { claim, now: START });
  const settled = claimed.map(({ id, fence }): Settlement => {
    const outcome = { kind: "completed", result: undefined } as const;
    return { id, fence, startedAt: START, outcome, add: undefined };
  });
  const [first] = settled;
  const failed = { kind: "failed", error: new Uint8Array(3), reason: "error" } as const;
  if (first !== undefined) settled.push({ ...first, outcome: failed });
  const answer = await step(storage, { settled, now: START });
  const [record] = await storage.read({ queue: QUEUE, ids: [first?.id ?? ""], now: START });
  return [answer.settled, record?.state];
}

describe.skipIf(!hasTestServer)("a step", () => {
  test("that settles a run twice, and otherwise, ends it as it was settled first", async () => {
    const server = await startTestServer();
    afterTest(() => server.stop());
    const [settled, state] = await settleTwice(connect(server, server.keyPrefix));
    expect(state).toBe("completed");
    const memory = memoryStorage() as unknown as StorageContract;
    expect([settled, state]).toEqual(await settleTwice(memory));
  });
});
