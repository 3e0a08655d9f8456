/**
 * Messages so large that not all of a claim fit into memory, nor into what SQLite hands over at a time: `TASKQ_LARGE=1` tries
 * that too, with a gigabyte on the disk.
 */
import { join } from "node:path";
import type { StorageContract } from "@taskq/core/storage";
import { expect, test } from "vitest";
import { claim, flow, openStorage, QUEUE, temporaryFolder } from "./support.ts";

const MEGABYTE = 1024 * 1024;

/** Messages of so many megabytes, in which their number is repeated. */
async function storing(sizes: readonly number[]): Promise<StorageContract> {
  const storage = await openStorage({ path: join(temporaryFolder(), "jobs.db") });
  await store(storage, sizes);
  return storage;
}

async function store(storage: StorageContract, sizes: readonly number[]): Promise<void> {
  for (const [number, size] of sizes.entries()) {
    const body = new Uint8Array(size * MEGABYTE).fill(number);
    await storage.enqueue({ queue: QUEUE, flows: [flow({ body })] });
  }
}

/** How large those are that a claim of twenty takes, and what they hold at their end. */
async function claimed(storage: StorageContract, request: number): Promise<readonly unknown[]> {
  const runs = await claim(storage, request, 20);
  return runs.map(({ body }) => [body.length / MEGABYTE, body.at(-1)]);
}

test("after a large claim, the next ones take no more than fit into memory, until all fit again", async () => {
  const storage = await storing([33, 33, 1]);
  const small = () => storage.enqueue({ queue: QUEUE, flows: [flow({ body: new Uint8Array([9]) })] });
  await small();
  const smallOne = [1 / MEGABYTE, 9];
  expect(await claimed(storage, 1)).toEqual([[33, 0], [33, 1], [1, 2], smallOne]);
  await store(storage, [33, 33, 33]);
  await small();
  expect(await claimed(storage, 2)).toEqual([
    [33, 0],
    [33, 1],
  ]);
  expect(await claimed(storage, 3)).toEqual([[33, 2], smallOne]);
  await store(storage, [33, 33]);
  await small();
  expect(await claimed(storage, 4)).toEqual([[33, 0], [33, 1], smallOne]);
});

test.skipIf(process.env["TASKQ_LARGE"] !== "1")(
  "a claim of more than SQLite hands over at a time takes some of it, and the next one more",
  async () => {
    const storage = await storing(Array.from({ length: 11 }, () => 95));
    expect(await claimed(storage, 1)).toEqual([[95, 0]]);
    expect(await claimed(storage, 2)).toEqual([[95, 1]]);
  },
  120_000,
);
