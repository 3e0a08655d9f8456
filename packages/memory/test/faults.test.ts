import { faultyStorage, plainJob, poppingStorage, type FaultPlan } from "@taskq/conformance";
import { createIdMaker, TaskqError, type NewFlow, type StorageContract } from "@taskq/core/storage";
import { expect, test } from "vitest";
import { memoryStorage } from "../src/index.ts";

const QUEUE = "main";
const RETENTION = { completed: { for: 1e9, max: 1e6 }, failed: { for: 1e9, max: 1e6 } };
const makeId = createIdMaker();

function flow(): NewFlow {
  const id = makeId(Date.now());
  return { end: id, jobs: [plainJob(id)], joins: [] };
}

async function opened(plan?: FaultPlan): Promise<ReturnType<typeof faultyStorage>> {
  const storage = faultyStorage(memoryStorage(), plan);
  await storage.open({ queue: QUEUE, retention: RETENTION });
  return storage;
}

async function codeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return "answered";
  } catch (error) {
    if (error instanceof TaskqError) return error.code;
    throw error;
  }
}

async function claim(
  storage: StorageContract,
  owner: string,
  request: number,
  now?: number,
): Promise<string[]> {
  const answer = await storage.step({
    queue: QUEUE,
    owner,
    request,
    tasks: ["work"],
    settled: [],
    begun: [],
    claim: { begin: 1, ahead: 0, lease: 1_000 },
    now,
  });
  return answer.claimed.map(({ id }) => id);
}

test("a storage without a plan does what the one below does", async () => {
  const storage = await opened();
  const stored = flow();
  await storage.enqueue({ queue: QUEUE, flows: [stored] });
  expect(await claim(storage, "one", 1)).toEqual([stored.end]);
  expect(storage.faults.met).toEqual([]);
  expect(storage.clock.now()).toBeTypeOf("number");
});

test("a refused call never reaches the storage", async () => {
  const storage = await opened();
  const refused = flow();
  storage.faults.inject("enqueue", "refused");
  expect(await codeOf(storage.enqueue({ queue: QUEUE, flows: [refused] }))).toBe("TASKQ_UNAVAILABLE");
  storage.faults.inject("enqueue", "broken");
  expect(await codeOf(storage.enqueue({ queue: QUEUE, flows: [refused] }))).toBe("TASKQ_STORAGE");
  expect(await storage.read({ queue: QUEUE, ids: [refused.end] })).toEqual([undefined]);
  expect(storage.faults.met).toEqual([
    { method: "enqueue", kind: "refused" },
    { method: "enqueue", kind: "broken" },
  ]);
});

test("a call whose answer is lost was carried out", async () => {
  const storage = await opened();
  const stored = flow();
  storage.faults.inject("enqueue", "lost");
  expect(await codeOf(storage.enqueue({ queue: QUEUE, flows: [stored] }))).toBe("TASKQ_UNAVAILABLE");
  const again = await storage.enqueue({ queue: QUEUE, flows: [stored] });
  expect("flows" in again && again.flows[0]?.status).toBe("existing");
});

test("a delayed call is carried out late", async () => {
  const storage = await opened({ delay: 30 });
  storage.faults.inject("counts", "delayed");
  expect(await codeOf(storage.counts({ queue: QUEUE }))).toBe("answered");
  expect(storage.faults.met).toEqual([{ method: "counts", kind: "delayed" }]);
});

test("the same seed gives the same faults, in about the shares of the plan", async () => {
  const kinds: string[][] = [];
  for (let round = 0; round < 2; round += 1) {
    const storage = await opened({ seed: 42, refused: 0.2, lost: 0.1 });
    const codes: string[] = [];
    for (let call = 0; call < 500; call += 1) codes.push(await codeOf(storage.counts({ queue: QUEUE })));
    kinds.push(codes);
    const count = (kind: string): number => storage.faults.met.filter((fault) => fault.kind === kind).length;
    expect(count("refused")).toBeGreaterThan(60);
    expect(count("refused")).toBeLessThan(140);
    expect(count("lost")).toBeGreaterThan(20);
    expect(count("lost")).toBeLessThan(80);
  }
  expect(kinds[0]).toEqual(kinds[1]);
});

test("only the methods of the plan meet its faults, and none while it is not heeded", async () => {
  const storage = await opened({ refused: 1, methods: ["counts"] });
  expect(await codeOf(storage.list({ queue: QUEUE, limit: 1 }))).toBe("answered");
  expect(await codeOf(storage.counts({ queue: QUEUE }))).toBe("TASKQ_UNAVAILABLE");
  storage.faults.setPlanned(false);
  expect(await codeOf(storage.counts({ queue: QUEUE }))).toBe("answered");
});

test("a storage that is away refuses every call until it is back", async () => {
  const storage = await opened();
  storage.faults.setAway(true);
  expect(await codeOf(storage.counts({ queue: QUEUE }))).toBe("TASKQ_UNAVAILABLE");
  expect(await codeOf(storage.enqueue({ queue: QUEUE, flows: [flow()] }))).toBe("TASKQ_UNAVAILABLE");
  expect(await codeOf(storage.stats({ queue: QUEUE, since: 0 }))).toBe("TASKQ_UNAVAILABLE");
  expect(await codeOf(storage.phase({ queue: QUEUE }))).toBe("TASKQ_UNAVAILABLE");
  storage.faults.setAway(false);
  expect(await codeOf(storage.counts({ queue: QUEUE }))).toBe("answered");
});

test.each([{ refused: -0.1 }, { lost: 0.6, delayed: 0.6 }, { broken: Number.NaN }])(
  "shares that are none are refused: %o",
  (plan) => {
    expect(() => faultyStorage(memoryStorage(), plan)).toThrow(
      expect.objectContaining({ code: "TASKQ_OPTION" }),
    );
  },
);

test("a storage that pops loses what a dead consumer held", async () => {
  const below = memoryStorage();
  const storage = poppingStorage(below);
  await storage.open({ queue: QUEUE, retention: RETENTION });
  const lost = flow();
  await storage.enqueue({ queue: QUEUE, flows: [lost] });
  const now = Date.now();
  expect(await claim(storage, "killed", 1, now)).toEqual([lost.end]);
  for (let pass = 1; pass < 20; pass += 1) {
    const at = now + pass * 1_000;
    await storage.reap({ queue: QUEUE, limit: 10, now: at });
    expect(await claim(storage, "survivor", pass, at)).toEqual([]);
  }
});
