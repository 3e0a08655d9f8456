import { createQueue, task, type Queue } from "@taskq/core";
import { sqliteStorage } from "@taskq/sqlite";

let heard: (id: string) => void = () => {};

/** Who is told, in this process, that the signal of a run has aborted. */
export function hearAborts(listener: (id: string) => void): void {
  heard = listener;
}

/** Runs until its signal aborts. */
export const endless = task("endless", (_input: number, { id, signal }): Promise<never> => {
  return new Promise((_resolve, reject) => {
    signal.addEventListener("abort", () => {
      heard(id);
      reject(signal.reason as Error);
    });
  });
});

export function openRevokingQueue(path: string): Queue<"endless"> {
  return createQueue({ storage: sqliteStorage({ path }), tasks: { endless } });
}
