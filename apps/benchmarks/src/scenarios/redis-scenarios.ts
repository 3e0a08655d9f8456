import type { OnRedis } from "../peers/competitor.js";
import { memory } from "./at-scale.js";
import { backlog, bytes, due, idle } from "./redis-at-scale.js";
import type { Cell } from "./cell.js";
import { gates } from "./gates.js";
import type { Row, Scenario } from "./scenario.js";
import { cell, latencyCell, type Volume } from "./volume.js";

/** Everything that `pnpm bench --storage redis` measures, with the targets of the design page on performance. */
export function redisScenarios(volume: Volume): readonly Scenario[] {
  return [
    enqueue(volume),
    bulk(volume),
    ...[1, 10, 50].map((workers) => processing(volume, workers)),
    pipe(volume),
    pickup(volume),
    roundTrip(volume),
    processes(volume),
    backlog(volume),
    bytes(volume),
    due(volume),
    memory(volume, "taskq-redis"),
    gates(volume, "taskq-redis"),
    idle(volume),
  ];
}

function enqueue(volume: Volume): Scenario {
  const of = (competitor: OnRedis): Cell =>
    cell(volume, { competitor, kind: "enqueue-awaited", jobs: 20_000 });
  const bee = of("bee-queue");
  return {
    name: "enqueue",
    rows: [
      {
        title: "enqueue, awaited one by one",
        ours: of("taskq-redis"),
        bullmq: of("bullmq"),
        bee,
        groupmq: of("groupmq"),
        ceiling: of("ceiling-redis"),
        target: { kind: "times", factor: 0.95, reference: bee },
      },
    ],
  };
}

function bulk(volume: Volume): Scenario {
  const row = (title: string, kind: Cell["kind"]): Row => {
    const of = (competitor: OnRedis, jobs: number): Cell => cell(volume, { competitor, kind, jobs });
    const bee = of("bee-queue", 200_000);
    return {
      title,
      ours: of("taskq-redis", 300_000),
      bullmq: of("bullmq", 50_000),
      bee,
      groupmq: of("groupmq", 50_000),
      ceiling: of("ceiling-redis", 300_000),
      target: { kind: "times", factor: 1.5, reference: bee },
    };
  };
  return {
    name: "bulk",
    rows: [
      row("enqueue, bulk, 1,000 a call", "enqueue-bulk"),
      row("1,000 enqueues of one tick", "enqueue-tick"),
    ],
  };
}

/**
 * Of workers: the jobs of each, about three seconds for all, and the prefetch at which ours and the ceiling are compared; then what
 * the default is held to.
 */
interface Processing {
  readonly jobs: Readonly<Record<OnRedis, number>>;
  readonly prefetch: number;
  readonly bullmq: number;
  readonly bee?: number;
  readonly share?: number;
}

const PROCESSING: Readonly<Record<1 | 10 | 50, Processing>> = {
  1: {
    jobs: {
      "taskq-redis": 250_000,
      bullmq: 10_000,
      "bee-queue": 8_000,
      groupmq: 6_000,
      "ceiling-redis": 20_000,
    },
    prefetch: 20,
    bullmq: 2,
  },
  10: {
    jobs: {
      "taskq-redis": 300_000,
      bullmq: 60_000,
      "bee-queue": 80_000,
      groupmq: 50_000,
      "ceiling-redis": 300_000,
    },
    prefetch: 50,
    bullmq: 3,
    bee: 2,
    share: 0.5,
  },
  50: {
    jobs: {
      "taskq-redis": 300_000,
      bullmq: 60_000,
      "bee-queue": 90_000,
      groupmq: 60_000,
      "ceiling-redis": 300_000,
    },
    prefetch: 100,
    bullmq: 4,
    bee: 3,
    share: 0.5,
  },
};

function processing(volume: Volume, workers: number): Scenario {
  const { jobs, prefetch, bullmq: overBullmq, bee: overBee, share } = PROCESSING[workers as 1 | 10 | 50];
  const of = (competitor: OnRedis, ahead?: number): Cell =>
    cell(volume, { competitor, kind: "process", workers, prefetch: ahead, jobs: jobs[competitor] });
  const [bullmq, bee] = [of("bullmq"), of("bee-queue")];
  const ours = of("taskq-redis");
  const against = (ahead: number): Row => {
    const reference = of("ceiling-redis", ahead);
    return {
      title: `process, c = ${workers}, prefetch: ${ahead}`,
      // Without prefetch, one worker takes a call for each job.
      ours:
        workers === 1 && ahead === 0
          ? cell(volume, {
              competitor: "taskq-redis",
              kind: "process",
              workers,
              prefetch: 0,
              jobs: jobs["ceiling-redis"],
            })
          : of("taskq-redis", ahead),
      ceiling: reference,
      ...(share === undefined ? {} : { target: { kind: "times", factor: share, reference } as const }),
    };
  };
  const title = `process, c = ${workers}, default`;
  return {
    name: `process-${workers}`,
    rows: [
      {
        title: `${title}, against BullMQ`,
        ours,
        bullmq,
        bee,
        groupmq: of("groupmq"),
        target: { kind: "times", factor: overBullmq, reference: bullmq },
      },
      {
        title: `${title}, against Bee-Queue`,
        ours,
        bullmq,
        bee,
        reference: bee,
        ...(overBee === undefined
          ? {}
          : { target: { kind: "times", factor: overBee, reference: bee } as const }),
      },
      against(0),
      against(prefetch),
    ],
  };
}

function pipe(volume: Volume): Scenario {
  const of = (competitor: OnRedis, jobs: number): Cell => cell(volume, { competitor, kind: "pipe", jobs });
  const bee = of("bee-queue", 60_000);
  return {
    name: "pipe",
    rows: [
      {
        title: "produce + consume, two processes, c = 10",
        ours: of("taskq-redis", 150_000),
        bullmq: of("bullmq", 30_000),
        bee,
        groupmq: of("groupmq", 30_000),
        target: { kind: "times", factor: 2, reference: bee },
      },
    ],
  };
}

function pickup(volume: Volume): Scenario {
  const of = (competitor: OnRedis, isWarm = true): Cell =>
    latencyCell(volume, { competitor, kind: "pickup" }, isWarm);
  return {
    name: "pickup",
    rows: [
      {
        title: "pickup by another process, new ones, ms p50 / p99",
        ours: of("taskq-redis", false),
        bee: of("bee-queue", false),
      },
      {
        title: "pickup by another process, ms p50 / p99",
        ours: of("taskq-redis"),
        bullmq: of("bullmq"),
        bee: of("bee-queue"),
        groupmq: of("groupmq"),
        ceiling: of("ceiling-redis"),
        target: { kind: "latency", p50: 0.6, p99: 2.5 },
      },
    ],
  };
}

function roundTrip(volume: Volume): Scenario {
  const of = (competitor: OnRedis, isWarm = true): Cell =>
    latencyCell(volume, { competitor, kind: "round-trip" }, isWarm);
  return {
    name: "round-trip",
    rows: [
      {
        title: "round trip with result, new processes, ms p50 / p99",
        ours: of("taskq-redis", false),
        bullmq: of("bullmq", false),
      },
      {
        title: "round trip with result, ms p50 / p99",
        ours: of("taskq-redis"),
        bullmq: of("bullmq"),
        target: { kind: "latency", p50: 0.6, p99: 3 },
      },
    ],
  };
}

/** Each process has as many jobs to do as one alone: they compile what they run at the same time, on one CPU. */
function processes(volume: Volume): Scenario {
  const of = (competitor: OnRedis, count: number, each: number): Cell =>
    cell(volume, { competitor, kind: "process", processes: count, jobs: each * count });
  const row = (count: number): Row => ({
    title: `process, c = 10, ${count} process${count === 1 ? "" : "es"}`,
    ours: of("taskq-redis", count, 300_000),
    bullmq: of("bullmq", count, 40_000),
    bee: of("bee-queue", count, 60_000),
    groupmq: of("groupmq", count, 40_000),
    ceiling: of("ceiling-redis", count, 300_000),
  });
  const one = row(1);
  return {
    name: "processes",
    rows: [
      one,
      { ...row(2), reference: one.ours },
      { ...row(4), target: { kind: "times", factor: 0.9, reference: one.ours } },
    ],
  };
}
