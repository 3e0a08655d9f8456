import type { OnRedis } from "../peers/competitor.js";
import type { Cell } from "./cell.js";
import type { Scenario } from "./scenario.js";
import { cell, shareOf, type Volume } from "./volume.js";

const MILLION = 1_000_000;

/** Whether a queue gets slower with what waits in it. */
export function backlog(volume: Volume): Scenario {
  const of = (competitor: OnRedis, jobs: number, waiting: number): Cell =>
    cell(volume, { competitor, kind: "backlog", jobs, backlog: shareOf(volume, waiting) });
  const few = of("taskq-redis", 200_000, 1_000);
  return {
    name: "backlog",
    rows: [
      {
        title: "process, c = 10, 1,000 waiting all the time",
        ours: few,
        bee: of("bee-queue", 40_000, 1_000),
        reference: few,
      },
      {
        title: "process, c = 10, 1 M waiting all the time",
        ours: of("taskq-redis", 200_000, MILLION),
        bee: of("bee-queue", 40_000, MILLION),
        target: { kind: "times", factor: 0.8, reference: few },
      },
    ],
  };
}

export function bytes(volume: Volume): Scenario {
  const of = (competitor: OnRedis, jobs: number): Cell =>
    cell(volume, { competitor, kind: "stored-bytes", jobs });
  return {
    name: "bytes",
    rows: [
      {
        title: "memory of a waiting job, bytes, at 1 M (BullMQ, GroupMQ: 200,000)",
        ours: of("taskq-redis", MILLION),
        bullmq: of("bullmq", 200_000),
        bee: of("bee-queue", MILLION),
        groupmq: of("groupmq", 200_000),
        target: { kind: "at-most", value: "bytes", most: 400 },
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
        ours: cell(volume, { competitor: "taskq-redis", kind: "due", jobs: 50_000 }),
        bullmq: cell(volume, { competitor: "bullmq", kind: "due", jobs: 50_000 }),
        target: { kind: "at-most", value: "due", most: 1_500 },
      },
    ],
  };
}

/** What a consumer asks of a server that has nothing for it. */
export function idle(volume: Volume): Scenario {
  const of = (competitor: OnRedis): Cell => ({
    ...cell(volume, { competitor, kind: "idle", jobs: 20 }),
    seconds: Math.max(1, Math.round(volume.latencies / 50)),
  });
  return {
    name: "idle",
    rows: [
      {
        title: "commands a second of an idle consumer",
        ours: of("taskq-redis"),
        bullmq: of("bullmq"),
        bee: of("bee-queue"),
        groupmq: of("groupmq"),
        target: { kind: "at-most", value: "commands", most: 5 },
      },
    ],
  };
}
