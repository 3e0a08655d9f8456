/** What a start under a limit costs the server. */
import { plainJob } from "@taskq/conformance";
import { createIdMaker, type StorageContract } from "@taskq/core/storage";
import type { Redis } from "ioredis";
import { describe, expect, test } from "vitest";
import { serverBinary } from "./servers/binary.js";
import { ownServer } from "./support/own-server.js";
import { alone } from "./support/spread.js";
import { connect, newPrefix } from "./support/store.js";

const QUEUE = "main";
const PER = 60_000;
const RETENTION = { completed: { for: PER, max: 1e6 }, failed: { for: PER, max: 1e6 } };
/** Claims of one job each that are measured. */
const MEASURED = 15;
const makeId = createIdMaker();

describe.skipIf(serverBinary() === undefined)("limits", () => {
  const own = ownServer();

  test("a start costs the server as much under a limit of thousands as under one of a hundred", async () => {
    const { redis } = own;
    // The first of a script includes what it takes to make it.
    await microsecondsOfClaim(redis, connect(own.server, newPrefix()), 100);
    const few = await microsecondsOfClaim(redis, connect(own.server, newPrefix()), 100);
    const many = await microsecondsOfClaim(redis, connect(own.server, newPrefix()), 8_000);
    expect(many, `${few} under a limit of a hundred`).toBeLessThan(3 * few + 500);
  });

  test("of many that open at once, a step opens no more than a part, and says that there are more", async () => {
    const storage = connect(own.server, newPrefix());
    const start = Date.now();
    const keys = 1_200;
    await storage.open({ queue: QUEUE, retention: RETENTION, now: start });
    for (let key = 0; key < keys; key += 400) {
      const jobs = Array.from({ length: 800 }, (_, n) => {
        const limit = {
          kind: "limit",
          key: `key-${key + (n >> 1)}`,
          max: 1,
          per: PER,
          onBusy: "wait",
        } as const;
        return plainJob(makeId(start), { due: start, gates: [limit] });
      });
      await storage.enqueue({ queue: QUEUE, flows: jobs.map(alone), now: start });
    }
    let request = 0;
    const claimAll = async (now: number): Promise<{ readonly runs: number; readonly readied: number[] }> => {
      const readied: number[] = [];
      let runs = 0;
      for (let more = true; more && request < 500;) {
        request += 1;
        const claim = { begin: 100, ahead: 0, lease: 100 * PER };
        const asked = { queue: QUEUE, owner: "owner", request, tasks: ["work"], settled: [], begun: [], now };
        const answer = await storage.step({ ...asked, claim });
        runs += answer.claimed.length;
        readied.push(answer.effects.filter(({ kind }) => kind === "readied").length);
        more = answer.more;
      }
      return { runs, readied };
    };
    expect((await claimAll(start)).runs).toBe(keys);
    const later = await claimAll(start + PER);
    expect(later.runs).toBe(keys);
    expect(Math.max(...later.readied)).toBe(500);
  });
});

/** Of the server: where the limit has been used up, the first fifth of its window is over, and others wait in line. */
async function microsecondsOfClaim(redis: Redis, storage: StorageContract, max: number): Promise<number> {
  const start = Date.now();
  const gates = [{ kind: "limit", key: "key", max, per: PER, onBusy: "wait" }] as const;
  await storage.open({ queue: QUEUE, retention: RETENTION, now: start });
  for (let left = max + max / 2; left > 0; left -= 500) {
    const jobs = Array.from({ length: Math.min(left, 500) }, () =>
      plainJob(makeId(start), { due: start, gates }),
    );
    await storage.enqueue({ queue: QUEUE, flows: jobs.map(alone), now: start });
  }
  let request = 0;
  const claimed = async (begin: number, now: number): Promise<number> => {
    request += 1;
    const claim = { begin, ahead: 0, lease: 100 * PER };
    const asked = { queue: QUEUE, owner: "owner", request, tasks: ["work"], settled: [], begun: [], now };
    return (await storage.step({ ...asked, claim })).claimed.length;
  };
  for (let part = 0; part < 5; part += 1) {
    const now = start + part * 1_000;
    for (let left = max / 5; left > 0;) left -= await claimed(Math.min(left, 200), now);
  }
  const later = start + PER + 100;
  // Those that may not start are in its line, so that each start tells anew when it opens.
  while ((await storage.counts({ queue: QUEUE }))["*"]!.parked < max / 2) await claimed(200, later - 200);
  expect(await claimed(1, later)).toBe(1);
  await redis.config("RESETSTAT");
  for (let place = 0; place < MEASURED; place += 1) expect(await claimed(1, later)).toBe(1);
  const stats = await redis.info("commandstats");
  return Number(/^cmdstat_evalsha:calls=\d+,usec=(\d+)/m.exec(stats)?.[1]) / MEASURED;
}
