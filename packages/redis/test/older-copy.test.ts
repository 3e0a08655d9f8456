/** A server that comes back with less than it had: from an older snapshot, as a replica that lagged behind, after a power cut. */
import type { ClaimedJob, StorageContract } from "@taskq/core/storage";
import { describe, expect, test } from "vitest";
import { ask } from "./servers/ask.js";
import { serverBinary } from "./servers/binary.js";
import { serverOfTest } from "./support/callers.js";
import { alone, chain, newJob, opened, QUEUE, step } from "./support/spread.js";

async function claimOne(storage: StorageContract, owner: string): Promise<ClaimedJob> {
  const { claimed } = await step(storage, { owner, claim: { begin: 1, ahead: 0, lease: 30_000 } });
  const [run] = claimed;
  if (run === undefined) throw new Error("nothing was claimed");
  return run;
}

async function complete(storage: StorageContract, owner: string, run: ClaimedJob): Promise<string> {
  const outcome = { kind: "completed", result: new Uint8Array([1]) } as const;
  const settled = [{ id: run.id, fence: run.fence, startedAt: Date.now(), outcome, add: undefined }];
  return (await step(storage, { owner, settled })).settled[0] ?? "none";
}

async function fenceOfLock(storage: StorageContract, ticket: string): Promise<number> {
  const lock = { queue: QUEUE, kind: "acquire", name: "lock", ticket, owner: "1", max: 1 } as const;
  return (await storage.keys({ ...lock, ttl: 60_000, wait: undefined })).fence ?? 0;
}

describe.skipIf(serverBinary() === undefined)("a server that comes back with an older copy", () => {
  for (const partitions of [1, 3]) {
    const layout = partitions === 1 ? "" : ` (${partitions} partitions)`;
    const flows = {
      "a plain job": () => alone(newJob()),
      "a job that may run once": () => alone(newJob({ delivery: "at-most-once" })),
      "a pipeline": () => chain(newJob(), newJob()),
    };
    test.each(Object.entries(flows))(
      `%s: the run it forgot is lost, and the new one stands${layout}`,
      async (_, flow) => {
        const server = await serverOfTest();
        const storage = await opened({ url: server.url, partitions });
        await storage.enqueue({ queue: QUEUE, flows: [flow()] });
        await ask(server.port, [["SAVE"]]);
        const old = await claimOne(storage, "old");
        await server.kill();
        await server.restart();
        const run = await claimOne(storage, "new");
        expect(run.id).toBe(old.id);
        expect(run.fence).toBeGreaterThan(old.fence);
        expect(run.fence).toBeLessThan(2 ** 53);
        expect(await complete(storage, "old", old)).toBe("lost");
        expect(await complete(storage, "new", run)).toBe("applied");
      },
    );
  }

  test("a lock: its new holder has the greater fence", async () => {
    const server = await serverOfTest();
    const storage = await opened({ url: server.url });
    await ask(server.port, [["SAVE"]]);
    const old = await fenceOfLock(storage, "old");
    await server.kill();
    await server.restart();
    expect(await fenceOfLock(storage, "new")).toBeGreaterThan(old);
  });

  test("a queue that is older than an epoch of its fences moves to greater ones", async () => {
    const server = await serverOfTest();
    const storage = await opened({ url: server.url });
    // As it was made two years ago: its fences began there, and the next one is of today.
    const key = `taskq:{${QUEUE}}:queue`;
    const source =
      "local text = redis.call('GET', KEYS[1]) " +
      "local behind, epoch, phase, fence = cmsgpack.unpack_limit(text, 3) " +
      "redis.call('SET', KEYS[1], cmsgpack.pack(0, phase, 7) .. string.sub(text, behind + 1))";
    await ask(server.port, [["EVAL", source, "1", key]]);
    await storage.enqueue({ queue: QUEUE, flows: [alone(newJob()), alone(newJob())] });
    const run = await claimOne(storage, "one");
    expect(run.fence).toBeGreaterThan(2 ** 40);
    const again = await claimOne(storage, "one");
    expect(again.fence).toBeGreaterThan(run.fence);
    for (const one of [run, again]) expect(await complete(storage, "one", one)).toBe("applied");
    const { epoch } = await storage.export({ queue: QUEUE, kind: "begin" });
    expect((epoch + 1) * 2 ** 40).toBeGreaterThan(again.fence);
  });
});
