/** Several processes with one file, whose clocks differ or are set meanwhile: each storage stands for a process. */
import { join } from "node:path";
import type { ClaimedJob, StorageContract } from "@taskq/core/storage";
import { expect, test } from "vitest";
import { flow, openStorage, QUEUE, temporaryFolder } from "./support.ts";

const LEASE = 30_000;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const START = Date.UTC(2035, 0, 1);

/** One process: what it asks for is told by its own clock, so far from the others'. */
class Process {
  readonly #storage: StorageContract;
  readonly #ahead: number;
  #requests = 0;

  constructor(storage: StorageContract, ahead: number) {
    this.#storage = storage;
    this.#ahead = ahead;
  }

  async claim(at: number): Promise<ClaimedJob> {
    this.#requests += 1;
    const { claimed } = await this.#storage.step({
      queue: QUEUE,
      owner: `owner ${this.#ahead}`,
      request: this.#requests,
      tasks: ["work"],
      settled: [],
      begun: [],
      claim: { begin: 1, ahead: 0, lease: LEASE },
      now: at + this.#ahead,
    });
    return claimed[0] as ClaimedJob;
  }

  async renew({ id, fence }: ClaimedJob, at: number): Promise<number> {
    const { lost } = await this.#storage.renew({
      queue: QUEUE,
      owner: `owner ${this.#ahead}`,
      lease: LEASE,
      runs: [{ id, fence }],
      now: at + this.#ahead,
    });
    return lost.length;
  }

  async reap(at: number): Promise<number> {
    const { reaped } = await this.#storage.reap({ queue: QUEUE, limit: 10, now: at + this.#ahead });
    return reaped.length;
  }
}

async function processes(...clocks: readonly number[]): Promise<readonly Process[]> {
  const path = join(temporaryFolder(), "jobs.db");
  const made: Process[] = [];
  for (const ahead of clocks) made.push(new Process(await openStorage({ path }), ahead));
  await (await openStorage({ path })).enqueue({ queue: QUEUE, flows: [flow({ due: START - DAY })] });
  return made;
}

const BEHIND_HOLDER = [-HOUR, 0, DAY] as const;

test.each([
  ["an hour behind", BEHIND_HOLDER],
  ["a day ahead", [DAY, 0, -HOUR]],
  ["right", [0, DAY, -HOUR]],
] as const)(
  "a holder whose clock is %s and who renews keeps its run, whatever clocks the others have",
  async (_, clocks) => {
    const [holder, ...others] = (await processes(...clocks)) as [Process, ...Process[]];
    const run = await holder.claim(START);
    let lost = 0;
    for (let at = START; at < START + 10 * LEASE; at += LEASE / 30) {
      if ((at - START) % (LEASE / 3) === 0) lost += await holder.renew(run, at);
      for (const other of others) expect(await other.reap(at)).toBe(0);
    }
    expect(lost).toBe(0);
  },
);

test("a holder that renews keeps its run while the clock of another process jumps about", async () => {
  const path = join(temporaryFolder(), "jobs.db");
  const storage = await openStorage({ path });
  await storage.enqueue({ queue: QUEUE, flows: [flow({ due: START - DAY })] });
  const holder = new Process(storage, 0);
  const other = await openStorage({ path });
  const jumps = [0, DAY, -HOUR, 365 * DAY, 0, -DAY, HOUR];
  const run = await holder.claim(START);
  let lost = 0;
  for (let turn = 0; turn < 300; turn += 1) {
    const at = START + (turn * LEASE) / 30;
    if (turn % 10 === 0) lost += await holder.renew(run, at);
    expect(await new Process(other, jumps[turn % jumps.length] ?? 0).reap(at)).toBe(0);
  }
  expect(lost).toBe(0);
});

test("the run of a holder that died is taken soon, also by processes whose clocks differ", async () => {
  const [holder, ...others] = (await processes(...BEHIND_HOLDER)) as [Process, ...Process[]];
  await holder.claim(START);
  let taken: number | undefined;
  for (let at = START; taken === undefined && at < START + 10 * LEASE; at += LEASE / 30) {
    for (const other of others) if ((await other.reap(at)) > 0) taken = at;
  }
  expect(taken).toBeGreaterThanOrEqual(START + LEASE / 2);
  expect(taken).toBeLessThan(START + LEASE);
});
