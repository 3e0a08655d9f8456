import { compositionKey, type Composition } from "./composition.js";
import { definitionOf } from "./definition.js";
import { isMerged } from "./merge-input.js";
import { isNameless, unexpected } from "./options.js";
import type { Job } from "./vocabulary/task-and-job.js";

/**
 * A job of this composition; frozen, and so is all of it but the inputs.
 *
 * @param tasks the names of the tasks it needs, each once.
 */
export function jobOf(composition: Composition, tasks: readonly string[]): Job {
  // The brand is in the type only.
  return new ComposedJob(composition, tasks) as unknown as Job;
}

class ComposedJob {
  readonly tasks: readonly string[];
  readonly [compositionKey]: Composition;

  constructor(composition: Composition, tasks: readonly string[]) {
    this.tasks = tasks;
    this[compositionKey] = Object.freeze(composition);
    Object.freeze(this);
  }

  pipe(next: unknown, extra?: unknown): Job {
    const task = definitionOf(next, "pipe");
    return jobOf(
      { kind: "pipe", before: this[compositionKey], task, extra: checkedExtra(extra) },
      withName(this.tasks, task.name),
    );
  }

  onError(handler: unknown): Job {
    const definition = definitionOf(handler, "onError");
    return jobOf(
      { kind: "guarded", body: this[compositionKey], handler: definition },
      withName(this.tasks, definition.name),
    );
  }
}

/** Copied, so that the job stays what it was made. */
function checkedExtra(extra: unknown): object | undefined {
  if (extra === undefined) return undefined;
  // A promise has no fields yet: they would be missing without a word.
  if (isMerged(extra) && !isNameless(extra)) return Object.freeze({ ...extra });
  throw unexpected("pipe extra", "an object with the fields to add to the output", extra);
}

function withName(names: readonly string[], name: string): readonly string[] {
  return names.includes(name) ? names : Object.freeze([...names, name]);
}
