/** What does not hold across partitions: decisions/redis-partitions.md. */
import type { test } from "vitest";

const WHOLE = "a flow is stored whole: one that waits for a job which was stored alone before is refused";

export const WAIVERS: Readonly<Record<string, string>> = {
  "an edge to a job that is final already is satisfied or broken at once": WHOLE,
  "a job with an id of its own keeps its place among others of one millisecond":
    "ties of one millisecond go by id from partition to partition",
  "a unique key until final is free once its job is final": WHOLE,
  "a completed stage makes the next one ready with its result as source": WHOLE,
  "explaining names what a job waits for": "those ahead of it are counted in its own partition",
  "a job of a task that nobody announces ends quarantined after the time that the queue was opened with":
    "each partition ends 500 of them in a step, and together they end more",
};

let current = "";

/** The runner's `test`, which notes what is running. */
export function noted(run: typeof test) {
  return (name: string, body: () => Promise<void>, timeout?: number): void => {
    const noting = (): Promise<void> => {
      current = name;
      return body();
    };
    run(name, noting, timeout);
  };
}

/** Three; for what is waived, so many that it does not hold by chance. */
export function partitionsOfTest(): number {
  return current.includes("(waived: ") ? 61 : 3;
}
