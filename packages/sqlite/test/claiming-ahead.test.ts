import { join } from "node:path";
import type { StepAnswer, StorageContract } from "@taskq/core/storage";
import { expect, test } from "vitest";
import { flow, openStorage, QUEUE, temporaryFolder } from "./support.ts";

function claimAhead(storage: StorageContract, request: number, ahead: number): Promise<StepAnswer> {
  return storage.step({
    queue: QUEUE,
    owner: "owner",
    request,
    tasks: ["work"],
    settled: [],
    begun: [],
    claim: { begin: 0, ahead, lease: 30_000 },
  });
}

test("behind jobs that are not claimed ahead, others are claimed ahead all the same, further with each claim", async () => {
  const storage = await openStorage({ path: join(temporaryFolder(), "jobs.db") });
  const gate = { kind: "lock", max: 1, per: undefined, onBusy: "wait" } as const;
  const gated = Array.from({ length: 10 }, (_, n) => flow({ gates: [{ ...gate, key: `lock-${n}` }] }));
  await storage.enqueue({ queue: QUEUE, flows: gated });
  expect((await claimAhead(storage, 1, 300)).claimed).toEqual([]);

  const plain = Array.from({ length: 300 }, () => flow({ due: Date.now() + 1 }));
  await storage.enqueue({ queue: QUEUE, flows: plain });
  await new Promise((resolve) => setTimeout(resolve, 5));
  const claims: StepAnswer[] = [];
  do claims.push(await claimAhead(storage, claims.length + 2, 300));
  while (claims.at(-1)?.more === true && claims.length < 10);
  const ids = claims.flatMap(({ claimed }) => claimed.map(({ id }) => id));
  expect(ids).toEqual(plain.map(({ end }) => end));
  expect(claims.length).toBeLessThan(6);
});
