import { expect, it } from "vitest";
import { Records, type RecordedRun } from "../src/chaos/records.ts";
import { isClean, judge, type FinishedFlow } from "../src/chaos/verdict.ts";

const single: FinishedFlow = { keys: ["a"], group: false, trail: ["a"], yielded: ["a"] };
const chord: FinishedFlow = {
  keys: ["m0", "m1", "end"],
  group: true,
  trail: ["m0", "m1", "end"],
  yielded: ["m0", "m1", "end"],
};

function run(key: string, fence: number, change: Partial<RecordedRun> = {}): RecordedRun {
  const at = fence * 100;
  const base = { id: key, attempt: 1, consumer: 1, startedAt: at, endedAt: at + 50, stored: true };
  return { key, fence, ...base, ...change };
}

const chordRuns = [run("m0", 1), run("m1", 2), run("end", 3)];

it("a job that ran once, and a group whose callback ran after its members, are clean", () => {
  expect(isClean(judge([single, chord], [run("a", 9), ...chordRuns], new Set()))).toBe(true);
});

it("a job that never ran, or whose flow did not complete, is lost", () => {
  expect(judge([single], [], new Set()).lost).toEqual(["a"]);
  const unfinished = { ...single, yielded: undefined };
  expect(judge([unfinished], [run("a", 1, { stored: false })], new Set([1])).lost).toEqual(["a"]);
});

it("a run repeated after the kill of its consumer is no duplicate", () => {
  const runs = [run("a", 1, { stored: false, endedAt: undefined }), run("a", 2, { consumer: 2 })];
  const verdict = judge([single], runs, new Set([1]));
  expect(verdict.rerun).toBe(1);
  expect(isClean(verdict)).toBe(true);
});

it("a run repeated while its consumer lives is a duplicate", () => {
  const runs = [run("a", 1, { stored: false }), run("a", 2, { consumer: 2 })];
  expect(judge([single], runs, new Set()).duplicates).toEqual(["a"]);
});

it("a run repeated after its outcome was stored is a duplicate, killed or not", () => {
  const runs = [run("a", 1), run("a", 2, { consumer: 2 })];
  expect(judge([single], runs, new Set([1])).duplicates).toEqual(["a"]);
});

it("a callback before the end of a member is early", () => {
  const late = [run("m0", 1), run("m1", 2, { startedAt: 400, endedAt: 450 }), run("end", 3)];
  expect(judge([chord], late, new Set()).early).toEqual(["end"]);
});

it("a callback stored twice is twice, and one that did not complete is missing", () => {
  const twice = [...chordRuns, run("end", 4, { consumer: 2 })];
  expect(judge([chord], twice, new Set([1])).twice).toEqual(["end"]);
  const missing = judge([{ ...chord, yielded: undefined }], chordRuns.slice(0, 2), new Set());
  expect(missing.missing).toEqual(["end"]);
});

it("a callback that was handed other results, or in another order, is wrong", () => {
  expect(judge([{ ...chord, yielded: ["m1", "m0", "end"] }], chordRuns, new Set()).wrong).toHaveLength(1);
});

it("records are read up to the line that a kill cut short", () => {
  const text = "started a id 1 5 100\nended a id 1 5 200\nstored id 1 300\nstarted b id2 1 6 400\nended b id";
  const records = new Records();
  records.read(text, 3);
  expect(records.runs).toEqual([
    { key: "a", id: "id", attempt: 1, fence: 5, consumer: 3, startedAt: 100, endedAt: 200, stored: true },
    {
      key: "b",
      id: "id2",
      attempt: 1,
      fence: 6,
      consumer: 3,
      startedAt: 400,
      endedAt: undefined,
      stored: false,
    },
  ]);
});

it("what a storage answered is read by run", () => {
  const records = new Records();
  records.read("up 50\nclaimed a 7 1000 999 1001 60\nclaimed b 7 1000 999 1001 61\nreleased b 7 70\n", 1);
  records.read("reaped a 7 80\n", 2);
  expect(records.up).toEqual(new Map([[1, 50]]));
  expect(records.claims.get("a 7")).toMatchObject({ at: 1_000, askedAt: 999, released: false });
  expect(records.claims.get("b 7")?.released).toBe(true);
  expect(records.reaped).toEqual(new Map([["a 7", 80]]));
});
