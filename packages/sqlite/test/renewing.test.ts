/** What renewing costs. */
import { join } from "node:path";
import type { RunReference } from "@taskq/core/storage";
import { expect, test } from "vitest";
import { claim, flow, openStorage, QUEUE, temporaryFolder } from "./support.ts";

const FEW = 200;
const TIMES = 20;

/** Milliseconds of this process for so many renewals of so many runs, each of a lease of its own. */
async function renewals(runs: number, times: number): Promise<number> {
  const storage = await openStorage({ path: join(temporaryFolder(), "jobs.db") });
  await storage.enqueue({ queue: QUEUE, flows: Array.from({ length: runs }, () => flow()) });
  const held: RunReference[] = [];
  for (let request = 1; request <= runs; request += 1) held.push(...(await claim(storage, request)));
  expect(held).toHaveLength(runs);
  const before = process.cpuUsage();
  for (let time = 0; time < times; time += 1) {
    const answer = await storage.renew({ queue: QUEUE, owner: "owner", lease: 30_000, runs: held });
    expect(answer.lost).toEqual([]);
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}

test("runs that were claimed one by one are renewed at the same cost each, however many they are", async () => {
  const few = await renewals(FEW, TIMES);
  const many = await renewals(TIMES * FEW, 1);
  expect(many).toBeLessThan(4 * few + 20);
});
