import { modelSuite, type Fixture } from "@taskq/conformance";
import type { SettleAnswer, StepAnswer, StorageContract } from "@taskq/core/storage";
import { describe, expect, test } from "vitest";
import { memoryStorage } from "../src/index.ts";

type Change = Partial<Record<keyof StorageContract, (...parameters: never[]) => unknown>>;

/** A store in memory, some of whose methods are wrong. */
async function fixture(break_: (storage: StorageContract) => Change = () => ({})): Promise<Fixture> {
  const whole = memoryStorage() as unknown as StorageContract;
  const change = break_(whole);
  const storage = new Proxy(whole, {
    get(target, property) {
      const value: unknown = Reflect.get(change, property) ?? Reflect.get(target, property);
      return typeof value === "function" ? (value as () => unknown).bind(target) : value;
    },
  });
  return { storage, close: async () => whole.close() };
}

/** Runs the tests that the suite declares, one after the other, and answers what went wrong first. */
async function firstFailure(break_: (storage: StorageContract) => Change): Promise<string> {
  const tests: (() => Promise<void>)[] = [];
  modelSuite({
    runner: { describe: (_, body) => body(), test: (_, body) => tests.push(body) },
    name: "broken",
    create: async () => fixture(break_),
    reference: async () => fixture(),
    runs: 150,
    seed: 7,
  });
  // The last one is about what was covered.
  for (const run of tests.slice(0, -1)) {
    try {
      await run();
    } catch (error) {
      return String(error);
    }
  }
  return "";
}

type Step = StorageContract["step"];

function changedStep(storage: StorageContract, change: (answer: StepAnswer) => StepAnswer): Change {
  const step = async (request: Parameters<Step>[0]): Promise<StepAnswer> =>
    change(await storage.step(request));
  return { step };
}

modelSuite({
  runner: { describe, test },
  name: "memory",
  create: async () => fixture(),
  reference: async () => fixture(),
  runs: 150,
});

function lost(answer: SettleAnswer): SettleAnswer {
  return answer === "repeated" ? "lost" : answer;
}

describe("the model test finds a storage that", () => {
  const broken: readonly (readonly [string, (storage: StorageContract) => Change])[] = [
    [
      "claims in another order",
      (storage) => changedStep(storage, (answer) => ({ ...answer, claimed: answer.claimed.toReversed() })),
    ],
    [
      "does not know a settlement again",
      (storage) => changedStep(storage, (answer) => ({ ...answer, settled: answer.settled.map(lost) })),
    ],
    [
      "forgets which runs were revoked",
      (storage) => changedStep(storage, (answer) => ({ ...answer, revoked: [] })),
    ],
    [
      "sleeps past the next job",
      (storage) => changedStep(storage, (answer) => ({ ...answer, nextDue: undefined })),
    ],
    ["never reaps", () => ({ reap: async () => ({ reaped: [], effects: [], nextAt: undefined }) })],
    [
      "counts wrong",
      (storage) => ({
        counts: async (request: Parameters<StorageContract["counts"]>[0]) => {
          const counts = await storage.counts(request);
          return Object.fromEntries(
            Object.entries(counts).map(([task, states]) => [task, { ...states, failed: 0 }]),
          );
        },
      }),
    ],
    [
      "stores a repeated enqueue under other ids",
      (storage) => ({
        enqueue: async (request: Parameters<StorageContract["enqueue"]>[0]) => {
          const answer = await storage.enqueue(request);
          if ("collision" in answer) return answer;
          return { ...answer, flows: answer.flows.map((flow) => ({ ...flow, status: "stored" })) };
        },
      }),
    ],
  ];
  test.each(broken)(
    "%s",
    async (_, break_) => {
      const failure = await firstFailure(break_);
      expect(failure).toMatch(/Property failed after/);
      expect(failure).toMatch(/Counterexample: \[/);
    },
    120_000,
  );
});
