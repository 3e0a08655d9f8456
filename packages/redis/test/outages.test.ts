import { describe, expect, test } from "vitest";
import { serverBinary } from "./servers/binary.js";
import { findingsOf } from "./support/findings.js";
import { outages, type Extent, type Report } from "./support/outages.js";

/** `pnpm faults` does the same for a minute each, and what takes longer. */
const SHORT: Extent = { seconds: 2, times: 2 };
const { "uncopied-fail-overs": _long, ...short } = outages;

/** What was asked and was not so. */
function problemsOf(...given: Parameters<typeof findingsOf>): readonly string[] {
  const missed = findingsOf(...given).filter(({ met }) => met === false);
  return missed.map(({ name, value }) => `${name.trim()}: ${value}`);
}

describe.skipIf(serverBinary() === undefined)("outages", () => {
  const titled = Object.values(short).map((outage) => [outage.title, outage] as const);
  test.each(titled)("%s", { timeout: 100_000 }, async (_title, outage) => {
    expect(problemsOf(outage, await outage.run(SHORT))).toEqual([]);
  });
});

const report: Report = {
  times: 5,
  accepted: 100,
  completed: 99,
  neverRun: 1,
  left: 1,
  duplicates: 2,
  leasesLost: 3,
  calls: 1_000,
  longestCall: 7_000,
  hung: 4,
  unavailable: 0,
  resumedAfter: Infinity,
  contradiction: "the count of ready jobs",
};

test("what an outage must not do is told, each by its name", () => {
  expect(problemsOf(outages.connections, report)).toEqual([
    "lost: 1",
    "of them never run: 1",
    "left: 1",
    "run twice: 2",
    "leases lost: 3",
    "hung: 4",
    "the longest, ms: 7000",
    "longest until it went on, ms: Infinity",
    "contradictions between keys: the count of ready jobs",
  ]);
  expect(problemsOf(outages.fullness, report)).toContain("enqueues refused and repeated: 0");
});

test("of fail-overs only what they may do is let pass", () => {
  expect(problemsOf(outages["fail-overs"], report)).toContain("lost: 1");
  expect(problemsOf(outages["fail-overs"], report)).not.toContain("run twice: 2");
  expect(problemsOf(outages["uncopied-fail-overs"], report)).not.toContain("lost: 1");
});
