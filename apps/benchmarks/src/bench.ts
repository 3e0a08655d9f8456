// `pnpm bench`: ours beside the peers and beside a bare loop, one table. See README.md.
import { tmpdir } from "node:os";
import { misused, readArguments } from "./arguments.js";
import { machineLine } from "./machine.js";
import { benchTable } from "./report/bench-table.js";
import { Measurements } from "./report/measurements.js";
import { cellName, type Cell } from "./scenarios/cell.js";
import { measure } from "./scenarios/measure.js";
import { redisScenarios } from "./scenarios/redis-scenarios.js";
import { cellsOf, type Peer, type Scenario } from "./scenarios/scenario.js";
import { allScenarios } from "./scenarios/scenarios.js";

/** Jobs that a rate of ours is measured with in most scenarios; `--jobs` is read against it. */
const USUAL_JOBS = 120_000;

const given = readArguments(["storage", "only", "jobs", "runs", "directory"], ["quick"]);
const quick = given.flag("quick");
const runs = given.number("runs", quick ? 1 : 3);
const jobs = given.number("jobs", quick ? 600 : USUAL_JOBS);
const directory = given.text("directory") ?? tmpdir();
const volume = { jobs: jobs / USUAL_JOBS, latencies: quick ? 20 : 2_000 };
const storage = storageOf(given.text("storage") ?? "sqlite");
const { scenariosOf, peers } = {
  sqlite: { scenariosOf: allScenarios, peers: ["plainjobs", "liteque", "ceiling"] satisfies Peer[] },
  redis: { scenariosOf: redisScenarios, peers: ["bullmq", "bee", "groupmq", "ceiling"] satisfies Peer[] },
}[storage];
const scenarios = chosen(scenariosOf(volume), given.text("only"));
const measurements = new Measurements();

for (let run = 1; run <= runs; run += 1) {
  for (const scenario of scenarios) {
    for (const cell of inTurn(cellsOf(scenario), run)) await once(cell, `run ${run}/${runs}`);
  }
}
console.log(
  `${machineLine(storage, directory)}\nmedians of ${runs}; every job of every run ran exactly once\n`,
);
console.log(benchTable(scenarios, measurements, peers));

async function once(cell: Cell, label: string): Promise<void> {
  const measurement = await measure(cell, directory);
  measurements.add(cell, measurement);
  const { serverCpu = Number.NaN, consumerCpu = Number.NaN } = measurement.values ?? {};
  const cpu = Number.isNaN(serverCpu)
    ? ""
    : ` · CPU a job: server ${serverCpu.toFixed(1)} µs, consumers ${consumerCpu.toFixed(1)} µs`;
  process.stderr.write(`${label} · ${cellName(cell)} · ${Math.round(measurement.rate)}/s${cpu}\n`);
}

/** Forwards, then backwards, so that a machine that drifts favours nobody. */
function inTurn(cells: readonly Cell[], run: number): readonly Cell[] {
  return run % 2 === 1 ? cells : cells.toReversed();
}

function chosen(all: readonly Scenario[], only: string | undefined): readonly Scenario[] {
  const wanted = only?.split(",") ?? all.map(({ name }) => name);
  const unknown = wanted.filter((name) => all.every((scenario) => scenario.name !== name));
  if (unknown.length === 0) return all.filter(({ name }) => wanted.includes(name));
  const names = all.map(({ name }) => name).join(", ");
  return misused(`--only: expected some of ${names}, got ${unknown.join(", ")}`);
}

function storageOf(name: string): "sqlite" | "redis" {
  if (name === "sqlite" || name === "redis") return name;
  return misused(`--storage: expected sqlite or redis, got ${name}`);
}
