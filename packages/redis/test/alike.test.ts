/** What the short way of a step makes of rows that are like one another, and of those among them that are not. */
import { plainJob } from "@taskq/conformance";
import { memoryStorage } from "@taskq/memory";
import type {
  ClaimedJob,
  NewJob,
  SettledOutcome,
  Settlement,
  StepAnswer,
  StorageContract,
} from "@taskq/core/storage";
import { createIdMaker } from "@taskq/core/storage";
import { expect, test } from "vitest";
import { hasTestServer, startTestServer } from "./servers/test-server.js";
import { afterTest } from "./support/closing.js";
import { connect } from "./support/store.js";

const QUEUE = "main";
const OWNER = "an owner of a name that is longer than thirty-one bytes";
const TASKS = ["work", "a-task-of-a-name-that-is-longer-than-thirty-one-bytes", "w"];
const RETENTION = { completed: { for: 60_000, max: 1e6 }, failed: { for: 60_000, max: 1e6 } };
/** How long jobs have been due, in milliseconds. */
const LATE = [0, 0, 0, 0, 3, 40, 200, 70_000, 5_000_000];
const START = 1_800_000_000_000;

/** A generator with a fixed seed: the same numbers in each run. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return Math.floor((state / 0x8000_0000) * below);
  };
}

/** Mostly the same; now and then another task, a due of long ago, a long body, an end of its time, a priority. */
function jobs(count: number, random: (below: number) => number): NewJob[] {
  const makeId = createIdMaker();
  return Array.from({ length: count }, (_, n) =>
    plainJob(makeId(START + n), {
      task: TASKS[random(8)] ?? "work",
      body: new Uint8Array(random(10) === 0 ? 700 : random(90)).fill(120),
      priority: random(6) === 0 ? random(5) - 2 : 0,
      due: START - (LATE[random(LATE.length)] ?? 0),
      expiresAt: random(9) === 0 ? START + 1_000_000 : undefined,
      delivery: random(9) === 0 ? "at-most-once" : "at-least-once",
    }),
  );
}

const LENGTHS = [0, 1, 5, 31, 32, 255, 300, 513, undefined];

function outcome(random: (below: number) => number, now: number): SettledOutcome {
  if (random(60) === 0) return { kind: "retry", due: now, error: new Uint8Array(9), counts: true };
  const length = LENGTHS[random(LENGTHS.length)];
  return { kind: "completed", result: length === undefined ? undefined : new Uint8Array(length).fill(121) };
}

/** Stores, claims and settles what the seed says; all that was claimed, and what is left of every job. */
async function played(storage: StorageContract, all: readonly NewJob[], seed: number): Promise<unknown> {
  const random = numbers(seed);
  await storage.open({ queue: QUEUE, retention: RETENTION, now: START });
  const flows = all.map((job) => ({ end: job.id, jobs: [job], joins: [] }));
  await storage.enqueue({ queue: QUEUE, flows, now: START });
  const told: unknown[] = [];
  let settled: Settlement[] = [];
  let held: ClaimedJob[] = [];
  let now = START;
  for (let request = 1; request < 200; request += 1) {
    now += [0, 1, 7, 130, 300, 9_000][random(6)]!;
    const claim = { begin: random(3), ahead: random(16), lease: 30_000_000 };
    const begun = held
      .filter(({ begun: has }) => !has && random(3) === 0)
      .map(({ id, fence }) => ({ id, fence }));
    const asked = { queue: QUEUE, owner: OWNER, request, tasks: TASKS, settled, begun, claim, now };
    const answer: StepAnswer = await storage.step(asked);
    told.push(answer);
    held = [...held, ...answer.claimed];
    const ending = held.filter(() => random(2) === 0);
    held = held.filter((job) => !ending.includes(job));
    const startedAt = now - [0, 0, 2, 1_000][random(4)]!;
    settled = ending.map(({ id, fence }) => ({
      id,
      fence,
      startedAt,
      outcome: outcome(random, now),
      add: undefined,
    }));
    if (answer.claimed.length + held.length + settled.length === 0) break;
  }
  return { told, read: await storage.read({ queue: QUEUE, ids: all.map(({ id }) => id), whole: true, now }) };
}

test.skipIf(!hasTestServer)(
  "jobs that are like one another are claimed and completed as the memory storage does it",
  { timeout: 30_000 },
  async () => {
    const server = await startTestServer();
    afterTest(() => server.stop());
    for (const seed of [1, 2, 3, 4, 5, 6]) {
      const all = jobs(150, numbers(seed));
      const redis = connect(server, `${server.keyPrefix}-${seed}`);
      const memory = memoryStorage() as unknown as StorageContract;
      expect(await played(redis, all, seed)).toEqual(await played(memory, all, seed));
      await redis.close();
    }
  },
);
