import { createQueue, task, type Storage } from "@taskq/core";
import type { StepAnswer, StepRequest, StorageContract } from "@taskq/core/storage";
import { memoryStorage } from "@taskq/memory";
import { expect, test } from "vitest";
import { closing, serve } from "./serving.js";
import { sleep, until } from "./support.js";

interface Watching {
  /** How many steps may be under way. @default 1 */
  readonly lanes?: number;
  readonly sent?: () => void;
  readonly answered?: (request: StepRequest, answer: StepAnswer) => void;
}

/** Answers steps a moment after it has done them, as a storage on another machine does. */
function elsewhere({ lanes = 1, sent, answered }: Watching = {}): Storage {
  const storage = Object.assign(memoryStorage() as Storage & StorageContract, { lanes });
  const step = storage.step.bind(storage);
  storage.step = async (request) => {
    sent?.();
    const answer = await step(request);
    await sleep(4);
    answered?.(request, answer);
    return answer;
  };
  return storage;
}

// Whether a step meets another's runs is also the machine's to say, which may stand still.
test(
  "while a storage elsewhere carries out a step, the runs of the step before go on",
  { retry: 2 },
  async () => {
    let [ended, endedAtSend] = [0, 0];
    let [filled, overlapped] = [0, 0];
    const work = task("work", async () => {
      ended += 1;
    });
    const storage = elsewhere({
      sent() {
        endedAtSend = ended;
      },
      answered({ claim }, { claimed }) {
        if (claim === undefined || claimed.length < claim.begin + claim.ahead) return;
        filled += 1;
        if (ended > endedAtSend) overlapped += 1;
      },
    });
    const queue = closing(createQueue({ storage, tasks: { work } }));
    await queue.enqueueMany(Array.from({ length: 3_000 }, () => work.job()));
    await serve(queue, { workers: 10, prefetch: 90 });
    await until(() => ended === 3_000);
    expect(filled).toBeGreaterThan(20);
    // Not the first one, nor those that begin at once.
    expect(overlapped / filled).toBeGreaterThan(0.6);
  },
);

test("all that is held of a storage elsewhere is what workers and prefetch allow, and everything runs once", async () => {
  const [held, ran] = [new Set<string>(), new Map<string, number>()];
  let most = 0;
  const work = task("work", async (_: void, { id }) => {
    ran.set(id, (ran.get(id) ?? 0) + 1);
  });
  const storage = elsewhere({
    answered({ settled }, { claimed }) {
      for (const { id } of settled) held.delete(id);
      for (const { id } of claimed) held.add(id);
      most = Math.max(most, held.size);
    },
  });
  const queue = closing(createQueue({ storage, tasks: { work } }));
  await queue.enqueueMany(Array.from({ length: 1_000 }, () => work.job()));
  await serve(queue, { workers: 4, prefetch: 16 });
  await until(async () => (await queue.counts()).completed === 1_000);
  expect(most).toBe(20);
  expect([...ran.values()]).toEqual(Array.from({ length: 1_000 }, () => 1));
});

test.each([
  ["prefetch", { workers: 4, prefetch: 16 }],
  ["workers alone", { workers: 20, prefetch: 0 }],
])(
  "a storage of two lanes is asked again before it has answered, and for no more than %s allow",
  async (_what, options) => {
    const [held, ran] = [new Set<string>(), new Map<string, number>()];
    let [mostHeld, underWay, mostUnderWay, together] = [0, 0, 0, 0];
    const work = task("work", async (_: void, { id }) => {
      ran.set(id, (ran.get(id) ?? 0) + 1);
    });
    const storage = elsewhere({
      lanes: 2,
      sent() {
        underWay += 1;
        mostUnderWay = Math.max(mostUnderWay, underWay);
        if (underWay === 2) together += 1;
      },
      answered({ settled }, { claimed }) {
        underWay -= 1;
        for (const { id } of settled) held.delete(id);
        for (const { id } of claimed) held.add(id);
        mostHeld = Math.max(mostHeld, held.size);
      },
    });
    const queue = closing(createQueue({ storage, tasks: { work } }));
    await queue.enqueueMany(Array.from({ length: 2_000 }, () => work.job()));
    await serve(queue, options);
    await until(async () => (await queue.counts()).completed === 2_000);
    expect(mostUnderWay).toBe(2);
    // Of two hundred steps each one, or each second one where both lanes are answered in the same moment.
    expect(together).toBeGreaterThan(60);
    expect(mostHeld).toBe(20);
    expect([...ran.values()]).toEqual(Array.from({ length: 2_000 }, () => 1));
  },
);

test("one worker runs what a storage elsewhere hands out in its order", async () => {
  const order: number[] = [];
  const work = task("work", async (number: number) => {
    order.push(number);
  });
  const queue = closing(createQueue({ storage: elsewhere(), tasks: { work } }));
  const numbers = Array.from({ length: 1_000 }, (_, number) => number);
  await queue.enqueueMany(numbers.map((number) => work.job(number)));
  await serve(queue, { workers: 1 });
  await until(() => order.length === 1_000);
  expect(order).toEqual(numbers);
});

test("a consumer of a storage elsewhere that is stopped hands back what it has not begun", async () => {
  let ran = 0;
  const work = task("work", async () => {
    ran += 1;
  });
  const queue = closing(createQueue({ storage: elsewhere(), tasks: { work } }));
  await queue.enqueueMany(Array.from({ length: 20_000 }, () => work.job()));
  const consumer = await serve(queue, { workers: 4 });
  await until(() => ran > 2_000);
  await consumer.stop();
  expect(await queue.counts()).toMatchObject({ active: 0, completed: ran, ready: 20_000 - ran });
});

test("a job that is not claimed ahead does not wait until all others are done", async () => {
  let [plain, before] = [0, 0];
  const work = task("work", async () => {
    await sleep(1 + Math.random() * 4);
    plain += 1;
  });
  const locked = task("locked", { lock: "name", priority: 1 }, async () => {
    before = plain;
  });
  const queue = closing(createQueue({ storage: memoryStorage(), tasks: { work, locked } }));
  await queue.enqueueMany(Array.from({ length: 4_000 }, () => work.job()));
  await serve(queue, { workers: 10 });
  await until(() => plain > 200);
  const from = plain;
  const handle = await queue.enqueue(locked.job());
  await handle.wait();
  // Ten workers end some three in a millisecond.
  expect(before - from).toBeLessThan(600);
});

test("jobs that are not claimed ahead are handed to free workers of a storage elsewhere as fast as it answers", async () => {
  let ended = 0;
  const locked = task("locked", { lock: (number: number) => `lock-${number}` }, async () => {
    ended += 1;
  });
  const queue = closing(createQueue({ storage: elsewhere(), tasks: { locked } }));
  const numbers = Array.from({ length: 600 }, (_, number) => number);
  await queue.enqueueMany(numbers.map((number) => locked.job(number)));
  await serve(queue, { workers: 10 });
  const from = performance.now();
  await until(() => ended === 600);
  // Sixty steps of some 5 ms.
  expect(performance.now() - from).toBeLessThan(1_500);
});

test("steps of jobs that are not claimed ahead are under way in both lanes of a storage, and each job runs once", async () => {
  const ran = new Map<number, number>();
  let [underWay, together, steps, asked, holding, mostHolding] = [0, 0, 0, 0, 0, 0];
  const locked = task("locked", { lock: (number: number) => `lock-${number}` }, async (number: number) => {
    ran.set(number, (ran.get(number) ?? 0) + 1);
  });
  const storage = elsewhere({
    lanes: 2,
    sent() {
      underWay += 1;
      if (underWay === 2) together += 1;
    },
    answered({ claim, settled }, { claimed }) {
      underWay -= 1;
      steps += 1;
      if (claim !== undefined && claim.ahead > 0) asked += 1;
      holding += claimed.length - settled.length;
      mostHolding = Math.max(mostHolding, holding);
    },
  });
  const queue = closing(createQueue({ storage, tasks: { locked } }));
  const numbers = Array.from({ length: 1_000 }, (_, number) => number);
  await queue.enqueueMany(numbers.map((number) => locked.job(number)));
  await serve(queue, { workers: 10 });
  await until(async () => (await queue.counts()).completed === 1_000);
  expect([...ran.values()]).toEqual(numbers.map(() => 1));
  expect(mostHolding).toBe(10);
  expect(together).toBeGreaterThan(steps / 4);
  // It is found out anew by one in eight.
  expect(asked).toBeLessThan(steps / 4);
});

test("jobs that may be claimed ahead are, also behind many that may not", async () => {
  let most = 0;
  const locked = task("locked", { lock: (number: number) => `lock-${number}` }, async () => {});
  const work = task("work", async () => {});
  const storage = elsewhere({
    lanes: 2,
    answered(_request, { claimed }) {
      most = Math.max(most, claimed.length);
    },
  });
  const queue = closing(createQueue({ storage, tasks: { locked, work } }));
  await queue.enqueueMany(Array.from({ length: 500 }, (_, number) => locked.job(number)));
  await queue.enqueueMany(Array.from({ length: 2_000 }, () => work.job()));
  await serve(queue, { workers: 4 });
  await until(async () => (await queue.counts()).completed === 2_500);
  expect(most).toBeGreaterThan(50);
});
