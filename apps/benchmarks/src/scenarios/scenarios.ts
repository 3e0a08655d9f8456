import type { CompetitorName } from "../peers/competitor.js";
import { backlog, bytes, due, memory } from "./at-scale.js";
import type { Cell } from "./cell.js";
import { gates } from "./gates.js";
import type { Row, Scenario } from "./scenario.js";
import { signing } from "./signing.js";
import { cell, latencyCell, type Volume } from "./volume.js";

/** Everything that `pnpm bench` measures, with the targets of the design page on performance. */
export function allScenarios(volume: Volume): readonly Scenario[] {
  const scenarios = [
    enqueue(volume),
    bulk(volume),
    ...[1, 10, 50].map((workers) => processing(volume, workers)),
    full(volume),
    pipe(volume),
    pickup(volume),
    roundTrip(volume),
    processes(volume),
    revoke(volume),
    backlog(volume),
    bytes(volume),
    due(volume),
    memory(volume, "taskq"),
    gates(volume, "taskq"),
    signing(volume),
  ];
  return scenarios;
}

function enqueue(volume: Volume): Scenario {
  const of = (competitor: CompetitorName, jobs: number, durability: Cell["durability"]): Cell =>
    cell(volume, { competitor, kind: "enqueue-awaited", jobs, durability });
  const row = (durability: Cell["durability"], jobs: number): Row => {
    const reference = of("plainjobs", jobs, durability);
    return {
      title: `enqueue, awaited one by one${durability === "full" ? ", FULL" : ""}`,
      ours: of("taskq", jobs, durability),
      plainjobs: reference,
      ...(durability === "normal" ? { liteque: of("liteque", 3_000, durability) } : {}),
      ceiling: of("ceiling", jobs, durability),
      target: { kind: "times", factor: 0.9, reference },
    };
  };
  return { name: "enqueue", rows: [row("normal", 100_000), row("full", 30_000)] };
}

function bulk(volume: Volume): Scenario {
  const of = (competitor: CompetitorName, kind: Cell["kind"], jobs: number): Cell =>
    cell(volume, { competitor, kind, jobs });
  const many = of("plainjobs", "enqueue-bulk", 300_000);
  return {
    name: "bulk",
    rows: [
      {
        title: "enqueue, bulk, 1,000 a call",
        ours: of("taskq", "enqueue-bulk", 300_000),
        plainjobs: many,
        liteque: of("liteque", "enqueue-bulk", 3_000),
        ceiling: of("ceiling", "enqueue-bulk", 300_000),
        target: { kind: "times", factor: 0.7, reference: many },
      },
      {
        title: "1,000 enqueues of one tick",
        ours: of("taskq", "enqueue-tick", 300_000),
        plainjobs: of("plainjobs", "enqueue-tick", 100_000),
        target: { kind: "rate", atLeast: 150_000 },
      },
    ],
  };
}

/** About three seconds of ours: a process spends a good part of its first one compiling, and a consumer runs for days. */
const MANY = 300_000;

/** Of workers to the prefetch at which ours and the ceiling are compared, and to what is asked of the default. */
const PROCESSING: Readonly<Record<number, { prefetch: number; factor: number; share?: number }>> = {
  1: { prefetch: 20, factor: 2 },
  10: { prefetch: 50, factor: 4, share: 0.5 },
  50: { prefetch: 100, factor: 5, share: 0.5 },
};

function processing(volume: Volume, workers: number): Scenario {
  const { prefetch, factor, share } = PROCESSING[workers] ?? { prefetch: workers, factor: 1 };
  const of = (competitor: CompetitorName, jobs: number, ahead?: number): Cell =>
    cell(volume, { competitor, kind: "process", workers, prefetch: ahead, jobs });
  const plainjobs = of("plainjobs", 40_000);
  const against = (ahead: number, jobs: number): Row => {
    const reference = of("ceiling", jobs * 2, ahead);
    return {
      title: `process, c = ${workers}, prefetch: ${ahead}`,
      ours: of("taskq", jobs, ahead),
      plainjobs,
      ceiling: reference,
      ...(share === undefined ? {} : { target: { kind: "times", factor: share, reference } as const }),
    };
  };
  return {
    name: `process-${workers}`,
    rows: [
      {
        title: `process, c = ${workers}, default`,
        ours: of("taskq", MANY),
        plainjobs,
        liteque: of("liteque", 2_000),
        target: { kind: "times", factor, reference: plainjobs },
      },
      against(0, workers === 1 ? 40_000 : MANY),
      against(prefetch, MANY),
    ],
  };
}

function full(volume: Volume): Scenario {
  const of = (competitor: CompetitorName, jobs: number, prefetch?: number): Cell =>
    cell(volume, { competitor, kind: "process", durability: "full", prefetch, jobs });
  const plainjobs = of("plainjobs", 5_000);
  return {
    name: "process-full",
    rows: [
      {
        title: "process, c = 10, FULL, default",
        ours: of("taskq", 80_000),
        plainjobs,
        target: { kind: "times", factor: 8, reference: plainjobs },
      },
      {
        title: "process, c = 10, FULL, prefetch: 0",
        ours: of("taskq", 40_000, 0),
        plainjobs,
        ceiling: of("ceiling", 60_000, 0),
      },
    ],
  };
}

function pipe(volume: Volume): Scenario {
  const of = (competitor: CompetitorName, jobs: number): Cell =>
    cell(volume, { competitor, kind: "pipe", jobs });
  const plainjobs = of("plainjobs", 30_000);
  return {
    name: "pipe",
    rows: [
      {
        title: "produce + consume, two processes, c = 10",
        ours: of("taskq", 100_000),
        plainjobs,
        liteque: of("liteque", 2_000),
        target: { kind: "times", factor: 3, reference: plainjobs },
      },
    ],
  };
}

function pickup(volume: Volume): Scenario {
  const of = (competitor: CompetitorName, isWarm = true): Cell =>
    latencyCell(volume, { competitor, kind: "pickup" }, isWarm);
  return {
    name: "pickup",
    rows: [
      { title: "pickup by another process, new ones, ms p50 / p99", ours: of("taskq", false) },
      {
        title: "pickup by another process, ms p50 / p99",
        ours: of("taskq"),
        plainjobs: of("plainjobs"),
        liteque: of("liteque"),
        ceiling: of("ceiling"),
        target: { kind: "latency", p50: 0.3, p99: 3 },
      },
    ],
  };
}

function roundTrip(volume: Volume): Scenario {
  const of = (isWarm: boolean): Cell =>
    latencyCell(volume, { competitor: "taskq", kind: "round-trip" }, isWarm);
  const target = { kind: "latency", p50: 0.5, p99: 3 } as const;
  return {
    name: "round-trip",
    rows: [
      { title: "round trip with result, new processes, ms p50 / p99", ours: of(false) },
      { title: "round trip with result, ms p50 / p99", ours: of(true), target },
    ],
  };
}

function revoke(volume: Volume): Scenario {
  const ours = {
    ...cell(volume, { competitor: "taskq", kind: "revoke", jobs: 0 }),
    jobs: Math.ceil(volume.latencies / 4),
  };
  const target = { kind: "slowest", most: 100 } as const;
  const title = "revoke until the signal aborts in another process, ms p50 / max";
  return { name: "revoke", rows: [{ title, ours, target }] };
}

function processes(volume: Volume): Scenario {
  const of = (competitor: CompetitorName, count: number, jobs: number): Cell =>
    cell(volume, { competitor, kind: "process", processes: count, jobs });
  // Enough that four processes, each of which starts cold, are measured at their pace and not at their start.
  const one = of("taskq", 1, 400_000);
  const four = of("taskq", 4, 400_000);
  return {
    name: "processes",
    rows: [
      {
        title: "process, c = 10, 1 process",
        ours: one,
        plainjobs: of("plainjobs", 1, 40_000),
        ceiling: of("ceiling", 1, 400_000),
      },
      {
        title: "process, c = 10, 4 processes, against 1",
        ours: four,
        plainjobs: of("plainjobs", 4, 40_000),
        ceiling: of("ceiling", 4, 400_000),
        target: { kind: "times", factor: 0.8, reference: one },
      },
      {
        title: "  event-loop delay of the 4, ms p99.9",
        ours: four,
        target: { kind: "loop-delay", p999: 100 },
      },
    ],
  };
}
