/** `queue.counts`, `queue.jobs`, `queue.job`, `queue.why`. */
import { setImmediate as nextTurn } from "node:timers/promises";
import { definitionOf } from "../definition.js";
import { integer, oneOf, refuseUnknown, text } from "../options.js";
import { STORED_STATES, type ExplainFact } from "../storage.js";
import type { Counts, Explanation, JobFilter, JobInfo } from "../vocabulary/introspection.js";
import type { Engine } from "./engine-types.js";
import { explanationOf } from "./explanation.js";
import { infoOf } from "./job-info.js";
import { readRecord } from "./read-records.js";

const PAGE = 100;

export async function readCounts(
  engine: Engine,
  by: "task" | undefined,
): Promise<Counts | Record<string, Counts>> {
  await engine.open();
  const counts = await engine.storage.counts({ queue: engine.name, by, now: engine.time.requestNow() });
  if (by === "task") return { ...counts };
  // In the order in which a job passes through them, whatever the storage's own.
  return Object.fromEntries(STORED_STATES.map((state) => [state, counts["*"]?.[state] ?? 0])) as Counts;
}

export async function* readJobs(engine: Engine, filter: JobFilter): AsyncGenerator<JobInfo> {
  refuseUnknown(filter, ["state", "task", "limit", "after"], "jobs");
  const states =
    filter.state === undefined
      ? undefined
      : [filter.state].flat().map((state) => oneOf(state, STORED_STATES, "jobs state"));
  const task = filter.task === undefined ? undefined : definitionOf(filter.task).name;
  let left = filter.limit === undefined ? Infinity : integer(filter.limit, "jobs limit", { min: 0 });
  let after = filter.after === undefined ? undefined : text(filter.after, "jobs after");
  await engine.open();
  while (left > 0) {
    const page = await engine.storage.list({
      queue: engine.name,
      states,
      task,
      after,
      limit: Math.min(left, PAGE),
      now: engine.time.requestNow(),
    });
    for (const record of page.records) yield await infoOf(engine, record);
    left -= page.records.length;
    if (page.after === undefined) return;
    after = page.after;
    // A storage in this process answers at once, and timers and sockets would wait for the last page.
    await nextTurn();
  }
}

export async function readJob(engine: Engine, id: string): Promise<JobInfo | undefined> {
  const checked = text(id, "job id");
  await engine.open();
  const record = await readRecord(engine, checked, true);
  return record?.kind === "job" ? infoOf(engine, record) : undefined;
}

export async function readWhy(engine: Engine, id: string): Promise<Explanation> {
  const checked = text(id, "why id");
  await engine.open();
  const { name: queue, storage, taskNames: tasks, together } = engine;
  const now = engine.time.requestNow();
  const ask = (ids: readonly string[]): Promise<readonly ExplainFact[]> =>
    storage.explain({ queue, ids, tasks, now });
  const fact: ExplainFact | undefined = await together.one(`why ${now}`, checked, ask);
  return explanationOf(fact ?? { id, state: "unknown", task: undefined, causes: [] });
}
