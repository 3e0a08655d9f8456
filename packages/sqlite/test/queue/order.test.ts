import { createQueue, moveQueue, task, type Storage } from "@taskq/core";
import { engineOf, InlineRunner } from "@taskq/core/engine";
import { describe, expect, onTestFinished, test } from "vitest";
import { storages } from "./storages.js";

const ran: number[] = [];
const note = task("note", async (number: number) => void ran.push(number));

function queueOn(storage: Storage) {
  const queue = createQueue({ storage, tasks: { note } });
  onTestFinished(() => queue.close());
  return queue;
}

type NoteQueue = ReturnType<typeof queueOn>;

async function runAll(queue: NoteQueue): Promise<readonly number[]> {
  ran.length = 0;
  await new InlineRunner(engineOf(queue)).runDue();
  return ran;
}

const NUMBERS = Array.from({ length: 60 }, (_, number) => number);

/** Some with ids whose texts do not sort as they are enqueued, some without. */
async function enqueueAll(queue: NoteQueue): Promise<void> {
  const pending = NUMBERS.slice(0, 40).map((number) =>
    queue.enqueue(note.job(number), number % 3 === 0 ? {} : { id: `${99 - number}` }),
  );
  const entries = NUMBERS.slice(40).map((number) =>
    number % 2 === 0 ? { job: note.job(number), id: `${99 - number}` } : note.job(number),
  );
  await queue.enqueueMany(entries);
  await Promise.all(pending);
}

describe.each(storages)("order on $name", ({ make }) => {
  test("jobs with ids of their own and others run in the order of enqueue", async () => {
    const queue = queueOn(make());
    await queue.enqueue(note.job(-1));
    await enqueueAll(queue);
    expect(await runAll(queue)).toEqual([-1, ...NUMBERS]);
  });
});

// A storage that orders by a counter of its own does not tell SQLite where a name stood within its millisecond.
const [{ make: sqlite }] = storages.filter(({ name }) => name === "sqlite") as [(typeof storages)[number]];
test.each(storages)("jobs that move from SQLite to $name keep their order", async ({ make }) => {
  const [from, to] = [queueOn(sqlite()), queueOn(make())];
  await from.enqueue(note.job(-1));
  await enqueueAll(from);
  await moveQueue(from, to);
  expect(await runAll(to)).toEqual([-1, ...NUMBERS]);
});
