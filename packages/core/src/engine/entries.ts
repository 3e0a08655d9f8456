/** What `enqueueMany` takes, in batches. */
import { isJob } from "../composition.js";
import { isTask } from "../definition.js";
import { unexpected } from "../options.js";
import type { EnqueueOptions, Many } from "../vocabulary/enqueue-options.js";
import type { Entry, Job } from "../vocabulary/task-and-job.js";

/** The most entries that are read and not stored yet: one batch, or several smaller ones. */
export const BATCH_SIZE = 1_000;

/** Batches of what an iterable yields; an async one is read no faster than the batches are taken. */
export async function* batches(entries: Many<Entry>, size: number): AsyncGenerator<readonly Entry[]> {
  if (Array.isArray(entries)) {
    for (let from = 0; from < entries.length; from += size) yield entries.slice(from, from + size);
    return;
  }
  if (!isIterable(entries)) throw unexpected("enqueueMany", "an iterable of jobs", entries);
  let batch: Entry[] = [];
  for await (const entry of entries) {
    batch.push(entry);
    if (batch.length < size) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

/** The job of an entry, and the options it has of its own. */
export function splitEntry(entry: Entry): { readonly job: Job; readonly own: EnqueueOptions | undefined } {
  if (isJob(entry)) return { job: entry, own: undefined };
  if (typeof entry !== "object" || entry === null || !("job" in entry) || isTask(entry)) {
    throw unexpected(
      "enqueueMany",
      "a job, such as task.job(input), or an object with a job and its options",
      entry,
    );
  }
  const { job, ...own } = entry;
  return { job, own: own };
}

/**
 * The options of a batch, and over them those that a job of it has of its own. When it becomes due is one of them, said in
 * either of two ways.
 */
export function withOwn(options: EnqueueOptions | undefined, own: EnqueueOptions): EnqueueOptions {
  if (options === undefined) return own;
  const { delay: _delay, at: _at, ...others }: EnqueueOptions = options;
  const shared: object = own.delay === undefined && own.at === undefined ? options : others;
  const said = Object.entries(own).filter(([name, value]) => value !== undefined || !(name in shared));
  return { ...shared, ...Object.fromEntries(said) };
}

function isIterable(value: unknown): value is Many<Entry> {
  return (
    typeof value === "object" && value !== null && (Symbol.iterator in value || Symbol.asyncIterator in value)
  );
}
