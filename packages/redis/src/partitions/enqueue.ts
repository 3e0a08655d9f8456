/** Storing flows where they belong. */
import {
  takenError,
  TaskqError,
  type EnqueueAnswer,
  type EnqueueCollision,
  type EnqueueRequest,
  type JobEffect,
  type NewFlow,
  type StoredFlow,
} from "@taskq/core/storage";
import type { Reply } from "../connection/client.js";
import { placeOf } from "../wire/rows.js";
import type { DividedQueue } from "./divided-queue.js";
import { repliedBy } from "./peeked.js";
import { HOME, isPlain, partitionOf } from "./place.js";
import { glance } from "./scripts.js";

interface Group {
  readonly flows: NewFlow[];
  /** Their places in the request. */
  readonly places: number[];
}

export async function enqueue(
  queue: DividedQueue,
  request: EnqueueRequest,
): Promise<EnqueueAnswer | EnqueueCollision> {
  const [only] = request.flows;
  const [job] = only?.jobs ?? [];
  // By far the most: one plain job.
  if (only !== undefined && job !== undefined && request.flows.length === 1 && isPlain(only)) {
    return enqueueAt(queue, partitionOf(job.id, queue.size), request);
  }
  const stored: (StoredFlow | undefined)[] = request.flows.map(() => undefined);
  const groups = await grouped(queue, request, stored);
  const [first] = groups.keys();
  if (groups.size === 1 && first !== undefined && !stored.some((flow) => flow !== undefined)) {
    return enqueueAt(queue, first, request);
  }
  const collision = await collisionAmong(queue, groups, request);
  if (collision !== undefined) return { collision };
  return storeGroups(queue, groups, request, stored);
}

/** What can be refused is stored first; the rest has been looked at. */
async function storeGroups(
  queue: DividedQueue,
  groups: ReadonlyMap<number, Group>,
  request: EnqueueRequest,
  stored: (StoredFlow | undefined)[],
): Promise<EnqueueAnswer | EnqueueCollision> {
  const effects: JobEffect[] = [];
  const store = async (
    partition: number,
    { flows, places }: Group,
  ): Promise<EnqueueCollision | undefined> => {
    const answer = await enqueueAt(queue, partition, { ...request, flows });
    if ("collision" in answer) return answer;
    effects.push(...answer.effects);
    for (const [at, place] of places.entries()) stored[place] = answer.flows[at];
    return undefined;
  };
  const atHome = groups.get(HOME);
  const refused = atHome === undefined ? undefined : await store(HOME, atHome);
  if (refused !== undefined) return refused;
  const rest = [...groups].filter(([partition]) => partition !== HOME);
  const calls = await Promise.allSettled(rest.map(([partition, group]) => store(partition, group)));
  for (const call of calls) {
    if (call.status === "rejected") throw call.reason;
    if (call.value === undefined) continue;
    throw new TaskqError(
      "TASKQ_STORAGE",
      `the new id ${call.value.collision} was taken while others of the same call were stored`,
    );
  }
  return { flows: stored.filter((flow) => flow !== undefined), effects };
}

async function enqueueAt(
  queue: DividedQueue,
  partition: number,
  request: EnqueueRequest,
): Promise<EnqueueAnswer | EnqueueCollision> {
  const run = request.run === undefined ? undefined : await runAt(queue, partition, request.run, request.now);
  return queue.part(partition).enqueue({ ...request, run });
}

/** The run that asks, as the script of a partition takes it: one that runs in another partition was found there. */
export async function runAt(
  queue: DividedQueue,
  partition: number,
  run: NonNullable<EnqueueRequest["run"]>,
  now: number | undefined,
): Promise<NonNullable<EnqueueRequest["run"]> & { readonly elsewhere?: true }> {
  const [found] = await queue.find([run.id], { now });
  if (found === undefined || found.partition === partition || found.record.kind !== "job") return run;
  const isHeld = found.record.state === "active" && found.record.fence === run.fence;
  return isHeld ? { ...run, elsewhere: true } : run;
}

async function grouped(
  queue: DividedQueue,
  request: EnqueueRequest,
  stored: (StoredFlow | undefined)[],
): Promise<ReadonlyMap<number, Group>> {
  const groups = new Map<number, Group>();
  const { flows, now } = request;
  const among = new Set(flows.flatMap(({ jobs, joins }) => [...jobs, ...joins].map(({ id }) => id)));
  const awaited = new Set(flows.filter((flow) => !isPlain(flow)).flatMap(sourcesOf));
  for (const [place, flow] of flows.entries()) {
    const [job] = flow.jobs;
    let partition: number = HOME;
    if (job !== undefined && isPlain(flow)) {
      partition = awaited.has(job.id) ? HOME : partitionOf(job.id, queue.size);
    } else {
      stored[place] = await knownElsewhere(queue, flow, now);
      if (stored[place] !== undefined) continue;
      await refuseSources(queue, flow, among, now);
    }
    const group = groups.get(partition) ?? { flows: [], places: [] };
    groups.set(partition, group);
    group.flows.push(flow);
    group.places.push(place);
  }
  return groups;
}

/** Who gives an id of our form may mean a job that lies where its id says: nothing of that name is at home. */
async function knownElsewhere(
  queue: DividedQueue,
  flow: NewFlow,
  now: number | undefined,
): Promise<StoredFlow | undefined> {
  const named = [...flow.jobs, ...flow.joins].filter(
    ({ id, named: isNamed }) => isNamed === true && partitionOf(id, queue.size) !== HOME,
  );
  for (const one of named) {
    const partition = partitionOf(one.id, queue.size);
    const [record] = await queue.part(partition).read({ queue: queue.name, ids: [one.id], now });
    if (record?.kind !== "job") continue;
    const task = "task" in one ? one.task : "";
    if (record.task !== task) throw takenError(one.id, record.task, task);
    return { status: "existing", id: one.id, state: record.state };
  }
  return undefined;
}

/** Flows are at home, and so is what they wait for. */
async function refuseSources(
  queue: DividedQueue,
  flow: NewFlow,
  among: ReadonlySet<string>,
  now: number | undefined,
): Promise<void> {
  const sources = sourcesOf(flow).filter((id) => !among.has(id));
  if (sources.length === 0) return;
  const found = await queue.find(sources, { now });
  const other = sources.find((_, place) => (found[place]?.partition ?? HOME) !== HOME);
  if (other === undefined) return;
  throw new TaskqError(
    "TASKQ_STORAGE",
    `a flow waits for ${other}, a job that was stored alone and lies in another partition of the queue "${queue.name}"`,
  );
}

function sourcesOf({ jobs, joins }: NewFlow): readonly string[] {
  return [
    ...jobs.flatMap(({ after }) => (after ?? []).map(({ source }) => source)),
    ...joins.flatMap(({ members }) => members),
  ];
}

/** An id that differs from one that is there in its random part only, before anything is stored. */
async function collisionAmong(
  queue: DividedQueue,
  groups: ReadonlyMap<number, Group>,
  request: EnqueueRequest,
): Promise<string | undefined> {
  const looks = [...groups].map(async ([partition, { flows }]) => {
    const plain = flows.filter(isPlain).map(({ end }) => end);
    const byKey = new Map(plain.map((id) => [placeOf(id) ?? "", id]));
    const part = queue.queue(partition);
    const reply = await part.presence.during(async () =>
      repliedBy(await part.run(glance, ["", "", ...byKey.keys()])),
    );
    const [phase, taken] = reply as readonly [Reply, readonly Buffer[]];
    // Whoever may enqueue all the same is known there.
    if (String(phase) !== "open" && request.run === undefined) await movedError(queue, partition, request);
    return taken.map(String).find((id) => byKey.get(placeOf(id) ?? "") !== id);
  });
  const known = (await Promise.all(looks)).find((id) => id !== undefined);
  if (known === undefined) return undefined;
  for (const { flows } of groups.values()) {
    const same = flows.find(({ end }) => placeOf(end) !== undefined && placeOf(end) === placeOf(known));
    if (same !== undefined) return same.end;
  }
  return undefined;
}

/** Asks for what is refused: the partition says how it stands. */
async function movedError(queue: DividedQueue, partition: number, request: EnqueueRequest): Promise<void> {
  await queue.part(partition).enqueue({ ...request, flows: [] });
}
