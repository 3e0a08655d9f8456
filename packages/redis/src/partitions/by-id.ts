/** Calls about jobs by their ids: each goes where its job is. */
import type {
  AmendAnswer,
  AmendRequest,
  ExplainFact,
  JobEffect,
  NoteRecord,
  NoteRequest,
  ReadRequest,
  StorageContract,
  StoredRecord,
} from "@taskq/core/storage";
import type { DividedQueue } from "./divided-queue.js";
import { peekAt } from "./peeked.js";
import { HOME } from "./place.js";

export async function read(
  queue: DividedQueue,
  { ids, whole, now }: ReadRequest,
): Promise<readonly (StoredRecord | undefined)[]> {
  const found = await queue.find(ids, { whole, now });
  return found.map((one) => one?.record);
}

/** Home first: only there it may be refused, and then nothing is changed. */
export async function amend(queue: DividedQueue, request: AmendRequest): Promise<AmendAnswer> {
  const groups = await queue.located(request.ids, request.now);
  const changed = new Set<string>();
  const effects: JobEffect[] = [];
  const ask = async (number: number, ids: readonly string[]): Promise<void> => {
    const answer = await queue.part(number).amend({ ...request, ids });
    for (const id of answer.changed) changed.add(id);
    effects.push(...answer.effects);
  };
  // Asked with nothing too: it refuses what a queue that has moved does not take.
  await ask(HOME, groups.get(HOME) ?? []);
  const rest = [...groups].filter(([number]) => number !== HOME);
  await Promise.all(rest.map(([number, ids]) => ask(number, ids)));
  return { changed: request.ids.filter((id) => changed.delete(id)), effects };
}

export async function explain(
  queue: DividedQueue,
  request: Parameters<StorageContract["explain"]>[0],
): Promise<readonly ExplainFact[]> {
  const groups = await queue.located(request.ids, request.now);
  const facts = new Map<string, ExplainFact>();
  const isHere = [...groups.keys()].every((number) => number === HOME);
  const once = isHere ? [] : await revokedOnce(queue, request.now);
  await Promise.all(
    [...groups].map(async ([number, ids]) => {
      const asked = { ...request, ids, once };
      for (const fact of await queue.part(number).explain(asked)) facts.set(fact.id, fact);
    }),
  );
  return request.ids.map((id) => facts.get(id) ?? { id, state: "unknown", task: undefined, causes: [] });
}

/** Home alone knows which tasks are: each, and until when. */
async function revokedOnce(
  queue: DividedQueue,
  now: number | undefined,
): Promise<readonly (readonly [task: string, until: number | false])[]> {
  const { once } = await peekAt(queue.queue(HOME), { now, wanted: 0, tasks: "" });
  return once.map(({ task, until }) => [task, until ?? false]);
}

export async function note(queue: DividedQueue, request: NoteRequest): Promise<boolean> {
  const guess = queue.guess(request.run.id);
  if (await queue.part(guess).note(request)) return true;
  const [found] = await queue.find([request.run.id], { now: request.now });
  if (found === undefined || found.partition === guess) return false;
  return queue.part(found.partition).note(request);
}

export async function notes(
  queue: DividedQueue,
  request: Parameters<StorageContract["notes"]>[0],
): Promise<readonly NoteRecord[]> {
  const [found] = await queue.find([request.id]);
  return queue.part(found?.partition ?? HOME).notes(request);
}
