import { expect, it } from "vitest";
import { judgeGates, type Gate } from "../src/chaos/gates-verdict.ts";
import type { RecordedRun } from "../src/chaos/records.ts";

const lock: Gate = { name: "lock", max: 1 };
const gateOf = new Map([
  ["a", lock],
  ["b", lock],
  ["c", lock],
]);

function run(key: string, startedAt: number, endedAt: number | undefined, consumer = 1): RecordedRun {
  return { key, id: key, attempt: 1, fence: startedAt, consumer, startedAt, endedAt, stored: true };
}

it("runs that follow each other, or hold other gates, hold nothing together", () => {
  const runs = [run("a", 0, 10), run("b", 10, 20), run("other", 5, 15)];
  expect(judgeGates(gateOf, runs, new Map()).together).toEqual([]);
});

it("a run that begins before the one that holds its gate has ended is together with it", () => {
  expect(judgeGates(gateOf, [run("b", 9, 20), run("a", 0, 10)], new Map()).together).toEqual(["b"]);
});

it("a gate of two places is held by two, and not by three", () => {
  const gates = new Map(["a", "b", "c"].map((key) => [key, { name: "slots", max: 2 }]));
  const runs = [run("a", 0, 10), run("b", 1, 10), run("c", 2, 10)];
  expect(judgeGates(gates, runs, new Map()).together).toEqual(["c"]);
});

it("a run of a consumer that was killed holds its gate until the consumer is gone, one of another for ever", () => {
  const runs = [run("a", 0, undefined), run("b", 60e6, 70e6, 2)];
  expect(judgeGates(gateOf, runs, new Map([[1, 50e6]]))).toMatchObject({ together: [] });
  expect(judgeGates(gateOf, runs, new Map()).together).toEqual(["b"]);
});

function beat(id: string, at: number): RecordedRun {
  return { ...run("beat-1000", at, at), id };
}

it("an instant that made two jobs is told, one whose job ran twice is not", () => {
  expect(judgeGates(new Map(), [beat("x", 1), beat("x", 2)], new Map())).toMatchObject({
    ticks: 1,
    ticksTwice: [],
  });
  expect(judgeGates(new Map(), [beat("x", 1), beat("y", 2)], new Map()).ticksTwice).toEqual(["beat-1000"]);
});
