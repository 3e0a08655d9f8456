import { expect, it } from "vitest";
import { benchTable } from "../src/report/bench-table.ts";
import { Measurements } from "../src/report/measurements.ts";
import type { Cell, Measurement } from "../src/scenarios/cell.ts";
import type { Scenario, Target } from "../src/scenarios/scenario.ts";
import { median, percentile } from "../src/statistics.ts";

const base = {
  kind: "process",
  durability: "normal",
  workers: 10,
  prefetch: undefined,
  processes: 1,
  jobs: 1,
} as const;
const ours: Cell = { ...base, competitor: "taskq" };
const peer: Cell = { ...base, competitor: "plainjobs" };

function table(ourRates: readonly number[], peerRates: readonly number[], factor: number): string {
  const measurements = new Measurements();
  for (const rate of ourRates) measurements.add(ours, { rate, latencies: [], loopDelayP999: 0 });
  for (const rate of peerRates) measurements.add(peer, { rate, latencies: [], loopDelayP999: 0 });
  const target = { kind: "times", factor, reference: peer } as const;
  const scenario: Scenario = { name: "s", rows: [{ title: "row", ours, plainjobs: peer, target }] };
  return benchTable([scenario], measurements, ["plainjobs", "ceiling"]).split("\n")[2] ?? "";
}

it("a row gives medians, their ratio and whether the target is met", () => {
  const met = table([900, 4_000, 8_000], [1_000], 4);
  expect(met).toMatch(/\| row +\| +4,000 \| +1,000 \| .* 4\.00 × plainjobs \| +≥ 4 × \| +ok \|/);
  expect(table([900, 3_999, 8_000], [1_000], 4)).toMatch(/UNDER \|$/);
});

/** The one row of a table with runs of ours, held to a target. */
function heldTo(target: Target, runs: readonly Partial<Measurement>[]): string {
  const measurements = new Measurements();
  for (const run of runs) measurements.add(ours, { rate: 1, latencies: [], loopDelayP999: 0, ...run });
  return (
    benchTable([{ name: "s", rows: [{ title: "row", ours, target }] }], measurements, ["plainjobs"]).split(
      "\n",
    )[2] ?? ""
  );
}

it("a row of latencies gives the ratio of its median to the ceiling's, and no ratio where there is none", () => {
  const measurements = new Measurements();
  const [taskq, ceiling] = [
    { ...ours, kind: "pickup" },
    { ...ours, kind: "pickup", competitor: "ceiling" },
  ] as const satisfies readonly Cell[];
  measurements.add(taskq, { rate: 1, latencies: [3, 3, 9], loopDelayP999: 0 });
  measurements.add(ceiling, { rate: 1, latencies: [2, 2, 3], loopDelayP999: 0 });
  const target = { kind: "latency", p50: 2.5, p99: 9 } as const;
  const rows = [
    { title: "both", ours: taskq, ceiling, target },
    { title: "alone", ours: taskq, target },
  ];
  const [, , both, alone] = benchTable([{ name: "s", rows }], measurements, ["ceiling"]).split("\n");
  expect(both).toMatch(/3\.00 \/ 9\.00 \| +2\.00 \/ 3\.00 \| +1\.50 × ceiling \| +≤ 2\.5 \/ 9 \| +UNDER \|$/);
  expect(alone).toMatch(/3\.00 \/ 9\.00 \| +– \| +– \|/);
});

it("a row of the slowest gives the median and the slowest, and holds the slowest to its target", () => {
  const runs = [{ latencies: [1, 2, 99] }];
  expect(heldTo({ kind: "slowest", most: 100 }, runs)).toMatch(/2\.00 \/ 99 .* ≤ 100 \| +ok \|$/);
  expect(heldTo({ kind: "slowest", most: 98 }, runs)).toMatch(/≤ 98 \| UNDER \|$/);
});

it("a row of a value gives the median of its runs, and holds it to its target", () => {
  const runs = [{ values: { growth: 1.04 } }, { values: { growth: 1.05 } }, { values: { growth: 2 } }];
  expect(heldTo({ kind: "at-most", value: "growth", most: 1.05 }, runs)).toMatch(
    / 1\.05 .* ≤ 1\.05 \| +ok \|$/,
  );
  expect(heldTo({ kind: "at-most", value: "growth", most: 1.04 }, runs)).toMatch(/UNDER \|$/);
  expect(heldTo({ kind: "at-most", value: "memory", most: 120 }, runs)).toMatch(/UNDER \|$/);
});

it("medians and percentiles are those of the textbook", () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 2, 3])).toBe(2.5);
  expect(percentile([5, 1, 4, 2, 3], 0.5)).toBe(3);
  expect(
    percentile(
      Array.from({ length: 100 }, (_, index) => index + 1),
      0.99,
    ),
  ).toBe(99);
});
