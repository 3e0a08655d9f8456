import type { CompetitorName } from "../peers/competitor.js";
import type { Cell } from "./cell.js";
import type { Scenario } from "./scenario.js";
import { cell, shareOf, type Volume } from "./volume.js";

const MILLION = 1_000_000;

/** Whether a queue gets slower with what waits in it. */
export function backlog(volume: Volume): Scenario {
  const of = (competitor: CompetitorName, jobs: number, waiting: number): Cell =>
    cell(volume, { competitor, kind: "backlog", jobs, backlog: shareOf(volume, waiting) });
  const few = of("taskq", 200_000, 1_000);
  return {
    name: "backlog",
    rows: [
      {
        title: "process, c = 10, 1,000 waiting all the time",
        ours: few,
        plainjobs: of("plainjobs", 40_000, 1_000),
      },
      {
        title: "process, c = 10, 1 M waiting all the time",
        ours: of("taskq", 200_000, MILLION),
        plainjobs: of("plainjobs", 40_000, MILLION),
        target: { kind: "times", factor: 0.8, reference: few },
      },
    ],
  };
}

export function bytes(volume: Volume): Scenario {
  const of = (competitor: CompetitorName): Cell =>
    cell(volume, { competitor, kind: "stored-bytes", jobs: MILLION });
  return {
    name: "bytes",
    rows: [
      {
        title: "stored bytes of a waiting job, at 1 M",
        ours: of("taskq"),
        plainjobs: of("plainjobs"),
        target: { kind: "at-most", value: "bytes", most: 350 },
      },
    ],
  };
}

export function due(volume: Volume): Scenario {
  return {
    name: "due",
    rows: [
      {
        title: "50,000 jobs due at once: until the last began, ms",
        ours: cell(volume, { competitor: "taskq", kind: "due", jobs: 50_000 }),
        target: { kind: "at-most", value: "due", most: 1_500 },
      },
    ],
  };
}

/** Whether a consumer grows, on either store. */
export function memory(volume: Volume, competitor: "taskq" | "taskq-redis"): Scenario {
  const ours = cell(volume, { competitor, kind: "memory", jobs: MILLION });
  return {
    name: "memory",
    rows: [
      {
        title: "consumer memory over 1 M jobs, MB at most",
        ours,
        target: { kind: "at-most", value: "memory", most: 120 },
      },
      {
        title: "  its last quarter against its first",
        ours,
        target: { kind: "at-most", value: "growth", most: 1.1 },
      },
    ],
  };
}
