import { createQueue, task, type Queue } from "@taskq/core";
import { sqliteStorage } from "@taskq/sqlite";

export interface SoakJob {
  /** Unique over all producers. */
  readonly n: number;
  readonly text: string;
}

let heard: (n: number) => void = () => {};

/** An asynchronous handler that does nothing but say that it ran. */
export const soaked = task("soaked", async ({ n }: SoakJob) => {
  heard(n);
  return n;
});

/** Who is told of every run in this process. */
export function hear(listener: (n: number) => void): void {
  heard = listener;
}

/** The queue of the soak; whatever it warns of or reports as an error goes to `complain`. */
export function openSoakQueue(path: string, complain: (message: string) => void): Queue<"soaked"> {
  const complaint = (fields: unknown, message?: string): void => complain(message ?? String(fields));
  const logger = { debug() {}, info() {}, warn: complaint, error: complaint };
  return createQueue({ storage: sqliteStorage({ path }), tasks: { soaked }, logger });
}
