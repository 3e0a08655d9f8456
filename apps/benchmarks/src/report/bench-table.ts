import type { Cell } from "../scenarios/cell.js";
import { PEERS, type Peer, type Row, type Scenario, type Target } from "../scenarios/scenario.js";
import type { Measurements } from "./measurements.js";
import { markdownTable } from "./table.js";

/** What the columns of peers are called. */
const TITLES: Readonly<Record<Peer, string>> = {
  plainjobs: "plainjobs",
  liteque: "liteque",
  bullmq: "BullMQ",
  bee: "Bee-Queue, lean",
  groupmq: "GroupMQ",
  ceiling: "ceiling",
};

/** The one table: ours, the peers, the ceiling, the ratio, what is asked and whether it is met. */
export function benchTable(
  scenarios: readonly Scenario[],
  measurements: Measurements,
  peers: readonly Peer[],
): string {
  const head = ["jobs a second", "taskq", ...peers.map((peer) => TITLES[peer]), "ratio", "target", ""];
  const rows = scenarios.flatMap((scenario) => scenario.rows.map((row) => line(row, measurements, peers)));
  return markdownTable(head, rows);
}

function line(row: Row, measurements: Measurements, peers: readonly Peer[]): string[] {
  const { title, ours, target } = row;
  const shown = (cell: Cell | undefined): string =>
    cell === undefined ? "–" : figure(cell, target, measurements);
  const ratio = isLatency(ours) ? ratioOfLatencies(row, measurements) : ratioOfRates(row, measurements);
  const asked = target === undefined ? "–" : askedFor(target);
  const verdict = target === undefined ? "" : isMet(target, ours, measurements) ? "ok" : "UNDER";
  return [title, shown(ours), ...peers.map((peer) => shown(row[peer])), ratio, asked, verdict];
}

function ratioOfRates(row: Row, measurements: Measurements): string {
  const { ours, target } = row;
  const reference =
    target?.kind === "times" ? target.reference : (row.reference ?? row.ceiling ?? firstOf(row));
  if (reference === undefined || isNoRate(target)) return "–";
  return `${times(measurements.rate(ours) / measurements.rate(reference))} ${named(ours, reference)}`;
}

/** Of the medians, where the ceiling has one: how much longer than it must. */
function ratioOfLatencies({ ours, ceiling }: Row, measurements: Measurements): string {
  if (ceiling === undefined) return "–";
  return `${times(measurements.latency(ours, 0.5) / measurements.latency(ceiling, 0.5))} ${named(ours, ceiling)}`;
}

function firstOf(row: Row): Cell | undefined {
  return PEERS.map((peer) => row[peer]).find((cell) => cell !== undefined);
}

function figure(cell: Cell, target: Target | undefined, measurements: Measurements): string {
  if (target?.kind === "loop-delay") return milliseconds(measurements.loopDelay(cell));
  if (target?.kind === "at-most") return short(measurements.value(cell, target.value));
  if (target?.kind !== "slowest" && !isLatency(cell)) return count(measurements.rate(cell));
  const upper = measurements.latency(cell, target?.kind === "slowest" ? 1 : 0.99);
  return `${milliseconds(measurements.latency(cell, 0.5))} / ${milliseconds(upper)}`;
}

function isLatency({ kind }: Cell): boolean {
  return kind === "pickup" || kind === "round-trip";
}

function isNoRate(target: Target | undefined): boolean {
  return target !== undefined && target.kind !== "times" && target.kind !== "rate";
}

function askedFor(target: Target): string {
  switch (target.kind) {
    case "times":
      return `≥ ${target.factor} ×`;
    case "rate":
      return `≥ ${count(target.atLeast)}`;
    case "latency":
      return `≤ ${target.p50} / ${target.p99}`;
    case "slowest":
      return `≤ ${target.most}`;
    case "at-most":
      return `≤ ${short(target.most)}`;
    case "loop-delay":
      return `≤ ${target.p999}`;
  }
}

function isMet(target: Target, ours: Cell, measurements: Measurements): boolean {
  switch (target.kind) {
    case "times":
      return measurements.rate(ours) >= target.factor * measurements.rate(target.reference);
    case "rate":
      return measurements.rate(ours) >= target.atLeast;
    case "latency":
      return measurements.latency(ours, 0.5) <= target.p50 && measurements.latency(ours, 0.99) <= target.p99;
    case "slowest":
      return measurements.latency(ours, 1) <= target.most;
    case "at-most":
      return measurements.value(ours, target.value) <= target.most;
    case "loop-delay":
      return measurements.loopDelay(ours) <= target.p999;
  }
}

function named(ours: Cell, reference: Cell): string {
  const { competitor } = reference;
  if (competitor === ours.competitor) return "itself";
  return competitor === "ceiling-redis" ? "ceiling" : competitor;
}

function times(ratio: number): string {
  return `${ratio.toFixed(2)} ×`;
}

function count(value: number): string {
  return Number.isNaN(value) ? "–" : Math.round(value).toLocaleString("en");
}

/** Two digits behind the point for what is about as large as one, none for others. */
function short(value: number): string {
  return value < 10 ? value.toFixed(2) : count(value);
}

function milliseconds(value: number): string {
  return value.toFixed(value < 10 ? 2 : 0);
}
