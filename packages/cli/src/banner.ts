import type { AnyTask, Counts, Duration, Queue, Schedule } from "@taskq/core";
import { milliseconds } from "@taskq/core/engine";
import { lengthOf, localTime, localZone } from "./instant.js";
import { storageName } from "./storage-name.js";
import type { Style } from "./style.js";
import { versionOf } from "./versions.js";

/** What the banner tells of one queue. */
export interface QueueFacts {
  readonly queue: Queue;
  /** `undefined`: the storage did not answer. */
  readonly counts: Counts | undefined;
}

export interface BannerFacts {
  /** As the user gave it. */
  readonly module: string;
  readonly queues: readonly QueueFacts[];
  readonly workers: number;
  readonly lease: Duration;
  readonly grace: Duration;
  readonly periodic: boolean;
  readonly now: Date;
}

/** What is about to run, for a person: versions, storage, tasks, and when periodic tasks fire next. */
export function banner(facts: BannerFacts, style: Style): string {
  const { module, queues, workers, lease, grace, periodic, now } = facts;
  const lines = [
    `${style.bold("taskq")} ${versions(facts)}`,
    "",
    `  module   ${module}`,
    `  workers  ${workers}   lease ${span(lease)}   grace ${span(grace)}   process ${process.pid}`,
  ];
  for (const { queue, counts } of queues) {
    lines.push("", `  queue ${style.bold(queue.name)}   ${storageName(queue)}   ${waiting(counts)}`);
    lines.push(...taskLines([...queue.tasks.values()], { now, periodic }, style));
  }
  return `${lines.join("\n")}\n`;
}

function versions({ module, queues }: BannerFacts): string {
  const storages = queues.map(({ queue }) => storageName(queue).split(" ")[0] ?? "");
  const packages = new Set(["cli", "core", "consumer", ...storages]);
  const known = [...packages].map((name) => [
    name,
    versionOf(`@taskq/${name}`, module) ?? versionOf(`@taskq/${name}`),
  ]);
  const named = known
    .filter(([, version]) => version !== undefined)
    .map(([name, version]) => `${name} ${version}`);
  return [...named, `Node ${process.versions.node}`].join(" · ");
}

function waiting(counts: Counts | undefined): string {
  if (counts === undefined) return "the storage does not answer yet";
  const { ready, scheduled, parked, blocked, active } = counts;
  const parts = Object.entries({ active, ready, scheduled, parked, blocked })
    .filter(([, count]) => count > 0)
    .map(([state, count]) => `${count.toLocaleString("en")} ${state}`);
  return parts.length === 0 ? "no jobs waiting" : parts.join(", ");
}

interface Timing {
  readonly now: Date;
  readonly periodic: boolean;
}

function taskLines(tasks: readonly AnyTask[], { now, periodic }: Timing, style: Style): readonly string[] {
  if (tasks.length === 0) return ["    no tasks: every job is left to other consumers"];
  const width = Math.max(...tasks.map(({ name }) => name.length));
  const line = ({ name }: AnyTask, details: string): string =>
    `    ${`${name.padEnd(width)}   ${details}`.trimEnd()}`;
  const plain = tasks.filter((task) => !("schedule" in task));
  const lines = plain.map((task) => line(task, style.dim(policy(task))));
  const byClock = tasks.filter((task) => "schedule" in task);
  if (byClock.length === 0) return lines;
  lines.push(
    `    ${style.dim(periodic ? `periodic (times in ${localZone()})` : "periodic: left to other consumers")}`,
  );
  const expressions = Math.max(...byClock.map(({ schedule }) => rule(schedule).length));
  for (const task of byClock) {
    const next = periodic ? nextRun(task.schedule.next(now), now) : "";
    lines.push(line(task, `${rule(task.schedule).padEnd(expressions)}   ${next}`));
  }
  return lines;
}

/** An interval is only a duration; a cron expression has fields, or a name that begins with `@`, and its zone. */
function rule({ expression, timeZone }: Schedule): string {
  if (!/[\s@]/.test(expression)) return `every ${expression}`;
  return timeZone === undefined || timeZone === localZone() ? expression : `${expression} ${timeZone}`;
}

function nextRun(next: Date | undefined, now: Date): string {
  if (next === undefined) return "never again";
  return `next ${localTime(next)}, in ${lengthOf(next.getTime() - now.getTime())}`;
}

/** Of the options only those that say how a run of the task is treated. */
function policy({ options }: AnyTask): string {
  const { retries, priority, timeout, isolate, delivery } = options;
  const parts = [
    retries === undefined || retries === 0 ? "" : `${retries} ${retries === 1 ? "retry" : "retries"}`,
    priority === undefined || priority === 0 ? "" : `priority ${priority}`,
    timeout === undefined ? "" : `timeout ${span(timeout)}`,
    delivery === "at-most-once" ? delivery : "",
    isolate === undefined || isolate === "none" ? "" : `in a ${isolate}`,
  ];
  return parts.filter((part) => part !== "").join(", ");
}

function span(duration: Duration): string {
  return lengthOf(milliseconds(duration, "duration"));
}
