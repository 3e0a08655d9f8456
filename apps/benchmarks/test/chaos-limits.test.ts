import { expect, it } from "vitest";
import { judgeFreeing } from "../src/chaos/freeing.ts";
import { judgeLimits, type Limit } from "../src/chaos/limits-verdict.ts";
import { Records, runName, type RecordedClaim, type RecordedRun } from "../src/chaos/records.ts";

const names = ["a", "b", "c", "d", "e", "f"].concat(
  Array.from({ length: 100 }, (_, index) => `job ${index}`),
);
const limit: Limit = { name: "calls", max: 2, per: 100 };

/** Claims of jobs `a`, `b`, … at these instants, each with a run. */
function started(...instants: readonly number[]): Records {
  const records = new Records();
  for (const [index, at] of instants.entries()) {
    const id = names[index] ?? "";
    const claim: RecordedClaim = { id, fence: 1, at, askedAt: at, answeredAt: at + 1, released: false };
    records.claims.set(runName(claim), claim);
    records.runs.push(run(id, at * 1e6));
  }
  return records;
}

/** So many instants. */
function every(milliseconds: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => index * milliseconds);
}

function run(id: string, startedAt: number, change: Partial<RecordedRun> = {}): RecordedRun {
  const base = { key: id, attempt: 1, fence: 1, consumer: 1, endedAt: undefined, stored: false };
  return { id, startedAt, ...base, ...change };
}

const limited = new Map(names.map((id) => [id, { key: id, limit }]));

it("as many starts as a window may hold, wherever it begins, exceed nothing", () => {
  const verdict = judgeLimits(limited, started(0, 99, 100, 199, 200));
  expect(verdict).toMatchObject({ exceeded: [], unproven: [], starts: 5 });
});

it("one more start in any window is told", () => {
  expect(judgeLimits(limited, started(0, 99, 99)).exceeded).toEqual(["c"]);
});

it("twice as many where two fixed windows meet are too many", () => {
  expect(judgeLimits(limited, started(90, 95, 105, 110)).exceeded).toEqual(["c", "d"]);
});

it("the start of a run counts although its handler never began, but not if it was given back", () => {
  const records = started(0, 10, 20);
  records.runs.pop();
  expect(judgeLimits(limited, records).exceeded).toEqual(["c"]);
  records.claims.set("a 1", { ...(records.claims.get("a 1") as RecordedClaim), released: true });
  expect(judgeLimits(limited, records).exceeded).toEqual([]);
});

it("a run without a claim, and a claim that was not made when the storage says, prove nothing", () => {
  const records = started(0, 500);
  records.claims.delete("a 1");
  records.claims.set("b 1", { ...(records.claims.get("b 1") as RecordedClaim), at: 510 });
  expect(judgeLimits(limited, records).unproven).toEqual(["a", "b"]);
});

it("a limit that lets fewer through than it allows is told by its share", () => {
  expect(judgeLimits(limited, started(...every(50, 100))).leastUsed).toBe(1);
  expect(judgeLimits(limited, started(...every(100, 100))).leastUsed).toBe(0.5);
});

it("of a limit with few starts nothing is said of how much it was used", () => {
  expect(judgeLimits(limited, started(0, 100, 200, 300, 400, 500)).leastUsed).toBeUndefined();
});

const gateOf = new Map([["a", { name: "lock", max: 1 }]]);
const times = { lease: 1_000, lateness: 0 };

/** A holder that died at 0 s and whose run was taken so many seconds later; consumers that were up meanwhile. */
function taken(seconds: number, up: readonly (readonly [consumer: number, seconds: number])[]): Records {
  const records = new Records();
  records.runs.push(run("a", -1e9));
  records.reaped.set("a 1", seconds * 1e9);
  for (const [consumer, from] of up) records.up.set(consumer, from * 1e9);
  return records;
}

it("a gate is free in time within a lease and a half and one pass of its holder's death, and late after that", () => {
  const deaths = new Map([[1, 0]]);
  const inTime = judgeFreeing(gateOf, taken(1.9, [[2, -5]]), deaths, times);
  expect(inTime).toEqual({ count: 1, longest: 1_900, late: [] });
  expect(judgeFreeing(gateOf, taken(2.1, [[2, -5]]), deaths, times).late).toEqual(["a"]);
  expect(judgeFreeing(gateOf, taken(2.1, [[2, -5]]), deaths, { ...times, lateness: 60 }).late).toEqual([]);
});

it("the time at which no consumer was there to free a gate is left out", () => {
  const deaths = new Map([
    [1, 0],
    [2, 0.5e9],
  ]);
  const records = taken(3, [
    [2, -5],
    [3, 2],
  ]);
  expect(judgeFreeing(gateOf, records, deaths, times)).toEqual({ count: 1, longest: 1_500, late: [] });
});
