/** A step of which a part goes ahead. */
import { memoryStorage } from "@taskq/memory";
import type { Settlement, StepAnswer, StorageContract } from "@taskq/core/storage";
import { describe, expect, test } from "vitest";
import { hasTestServer, startTestServer } from "./servers/test-server.js";
import { afterTest } from "./support/closing.js";
import { alone, newJob, QUEUE, step } from "./support/spread.js";
import { connect, connectLate } from "./support/store.js";

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

  test("that leaves consequences to later ones tells all the same which runs were revoked", async () => {
    const server = await startTestServer();
    afterTest(() => server.stop());
    const storage = connectLate(server, server.keyPrefix);
    afterTest(() => storage.close());
    await storage.open({ queue: QUEUE, retention: RETENTION, now: START });
    const members = [1, 2].map(() => newJob({ due: START, task: "work" }));
    const ids = members.map(({ id }) => id);
    const [join, handler] = [newJob().id, newJob({ due: START, task: "work" })];
    const jobs = [...members, { ...handler, after: [{ source: join, on: "failed" }] } as const];
    const flow = { end: join, jobs, joins: [{ id: join, mode: "all", members: ids }] } as const;
    await storage.enqueue({ queue: QUEUE, flows: [flow], now: START });
    const { claimed } = await step(storage, { claim: { begin: 2, ahead: 0, lease: 30_000 }, now: START });
    const [first, second] = claimed.map(({ id, fence }) => ({ id, fence }));
    const change = { kind: "revoke", scope: "flow" } as const;
    await storage.amend({ queue: QUEUE, ids: ids.slice(0, 1), change, now: START });
    const outcome = { kind: "completed", result: undefined } as const;
    const settled = [{ ...first!, startedAt: START, outcome, add: undefined }];
    expect((await step(storage, { settled, now: START })).revoked).toEqual([second]);
  });
});
