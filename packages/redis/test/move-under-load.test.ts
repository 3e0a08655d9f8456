/**
 * A queue under load moves from SQLite to Redis and back by `taskq move`, with its consumers and its mover killed at
 * random points: every job is completed, none is lost, and one runs twice only if the consumer of the first run was killed.
 *
 * `TASKQ_MOVES` sets how often it moves (2), `TASKQ_MOVE_KILLS` how many movers are killed in each move at most (1),
 * `TASKQ_MOVE_SEED` the points: `TASKQ_MOVES=20 TASKQ_MOVE_KILLS=3 npx vitest run test/move-under-load.test.ts`.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { sqliteStorage } from "@taskq/sqlite";
import { engineOf } from "@taskq/core/engine";
import { describe, expect, test } from "vitest";
import { redisStorage } from "../src/index.js";
import { folderWith } from "./moving/folder.js";
import { taskq, type Ended } from "./moving/processes.js";
import { loadQueue, Producer, type LoadQueue } from "./moving/producer.js";
import { Supervisor } from "./moving/supervisor.js";
import { afterTest } from "./support/closing.js";
import { hasTestServer, startTestServer } from "./servers/test-server.js";

const MOVES = Number(process.env["TASKQ_MOVES"] ?? 2);
const SEED = Number(process.env["TASKQ_MOVE_SEED"] ?? 20_261_121);
/** Movers that are killed in each move, at most. */
const KILLS = Number(process.env["TASKQ_MOVE_KILLS"] ?? 1);
const WHEN = ["before", "during", "after"] as const;
/** Calls of a move, about: begin, pages, seal, finish, open. */
const CALLS = 14;
const PATIENCE = 60_000;

/** Numbers from 0 up to 1, the same for the same seed: Park and Miller's generator (doi:10.1145/63039.63042). */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

const PLACE = new URL("moving/place.js", import.meta.url).href;
const SQLITE = `
import { sqliteStorage } from "@taskq/sqlite";
import { placeOn } from ${JSON.stringify(PLACE)};
export const queue = placeOn(sqliteStorage({ path: "load.db" }));`;
const REDIS = `
import { redisStorage } from "@taskq/redis";
import { placeOn } from ${JSON.stringify(PLACE)};
const { REDIS_URL: url, REDIS_PREFIX: keyPrefix } = process.env;
export const queue = placeOn(redisStorage({ url, keyPrefix }));`;

async function isOpen(queue: LoadQueue): Promise<boolean> {
  const engine = engineOf(queue);
  await engine.open();
  return (await engine.storage.phase({ queue: engine.name })) === "open";
}

/** Waits for that, or fails. */
async function until(what: string, is: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + PATIENCE;
  while (!(await is())) {
    if (Date.now() > end) throw new Error(`gave up waiting until ${what}`);
    await sleep(20);
  }
}

describe.skipIf(!hasTestServer)("a queue under load", () => {
  test(
    `moves ${MOVES} times between SQLite and Redis, with movers and consumers killed, and every job is completed`,
    async () => {
      const server = await startTestServer(["--appendonly", "yes"]);
      afterTest(() => server.stop());
      const folder = folderWith({ "sqlite.mjs": SQLITE, "redis.mjs": REDIS });
      const environment = {
        LEDGER: join(folder, "ledger"),
        REDIS_URL: server.url,
        REDIS_PREFIX: server.keyPrefix,
      };
      const inFile = loadQueue(sqliteStorage({ path: join(folder, "load.db") }));
      const onServer = loadQueue(redisStorage({ url: server.url, keyPrefix: server.keyPrefix }));
      afterTest(() => onServer.close());
      afterTest(() => inFile.close());
      let [here, there] = [
        { module: "sqlite.mjs", queue: inFile },
        { module: "redis.mjs", queue: onServer },
      ];
      const place = async () => ((await isOpen(here.queue)) ? here.module : undefined);
      const supervisor = new Supervisor({ folder, environment, place, consumers: 2, lease: "1s" });
      const producer = new Producer(inFile);
      producer.start();
      supervisor.start();

      const random = randomNumbers(SEED);
      const seen = { kills: 0, cancelled: 0 };
      for (let moves = 0; moves < MOVES; moves += 1) {
        const before = (await here.queue.counts()).completed;
        await until("jobs are completed", async () => (await here.queue.counts()).completed > before + 20);
        for (let kills = 0; kills < KILLS; kills += 1) {
          if (kills === 0) supervisor.killOne();
          const die = {
            DIE_AT: String(1 + Math.floor(random() * CALLS)),
            DIE_WHEN: WHEN[Math.floor(random() * WHEN.length)] ?? "before",
          };
          const args = ["move", here.module, there.module];
          const { signal, code, errors } = await taskq(folder, args, { ...environment, ...die });
          expect([errors, signal ?? code]).toEqual(["", signal === null ? 0 : "SIGKILL"]);
          if (signal !== "SIGKILL") break;
          seen.kills += 1;
          if (random() >= 0.25 || (await isOpen(there.queue))) continue;
          const taken = await taskq(folder, [...args, "--cancel"], environment);
          expectDone(taken);
          seen.cancelled += 1;
        }
        const moved = await taskq(folder, ["move", here.module, there.module], environment);
        expectDone(moved);
        [here, there] = [there, here];
        producer.place = here.queue;
      }
      await producer.stop();
      await until("all is done", async () => {
        const { ready, scheduled, blocked, parked, active } = await here.queue.counts();
        return ready + scheduled + blocked + parked + active === 0;
      });
      await supervisor.stop();
      await expectAll(here.queue, producer);
      const runs = expectRuns(environment.LEDGER, supervisor);
      expect(await here.queue.counts()).toMatchObject({ completed: runs.jobs, failed: 0, skipped: 0 });
      expect(seen.kills).toBeGreaterThan(0);
      expect(supervisor.killed.size).toBeGreaterThan(0);
      expect(producer.refused).toBeGreaterThan(0);
      console.log(
        `${MOVES} moves, ${runs.jobs} jobs: ${seen.kills} movers and ${supervisor.killed.size} consumers killed, ` +
          `${seen.cancelled} moves taken back; ${runs.again} runs came again`,
      );
    },
    PATIENCE + MOVES * 30_000,
  );
});

function expectDone({ errors, code }: Ended): void {
  expect([errors, code]).toEqual(["", 0]);
}

/** What was enqueued yields what it must. */
async function expectAll(queue: LoadQueue, { expected }: Producer): Promise<void> {
  expect(expected.size).toBeGreaterThan(0);
  for (const [id, output] of expected) {
    expect([id, await queue.result(id).peek()]).toEqual([id, { state: "completed", value: output }]);
  }
}

/** A run came again only if the process of the one before it was killed, or had lost its lease. */
function expectRuns(
  ledger: string,
  { killed, lost }: Supervisor,
): { readonly jobs: number; readonly again: number } {
  const runs = new Map<string, number[]>();
  for (const line of readFileSync(ledger, "utf8").trimEnd().split("\n")) {
    const [pid = "", id = ""] = line.split(" ");
    runs.set(id, [...(runs.get(id) ?? []), Number(pid)]);
  }
  let again = 0;
  for (const [id, processes] of runs) {
    for (const pid of processes.slice(0, -1)) {
      again += 1;
      expect(killed.has(pid) || lost.has(id) ? "explained" : `${id} ran again after ${pid}`).toBe(
        "explained",
      );
    }
  }
  return { jobs: runs.size, again };
}
