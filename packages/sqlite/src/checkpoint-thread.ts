/** The thread that copies the write-ahead log into the database. */
import { parentPort, workerData } from "node:worker_threads";
import { loadDriver } from "./load-driver.js";

/** What the thread is made with. */
export interface CheckpointWork {
  readonly path: string;
}

/** `PASSIVE` waits for nobody; the others let the log begin anew, for which writers wait until it is copied. */
export type CheckpointMode = "PASSIVE" | "RESTART" | "TRUNCATE";

/** How long the thread waits for writers, in milliseconds; it blocks nobody's event loop. */
const PATIENCE = 1000;

const { path } = workerData as CheckpointWork;
const driver = new (loadDriver())(path, { timeout: PATIENCE, fileMustExist: true });

parentPort?.on("message", (mode: CheckpointMode) => {
  copy("PASSIVE");
  // Little is left to copy by now, so that writers wait only a moment.
  if (mode !== "PASSIVE") copy(mode);
  parentPort?.postMessage(mode);
});

function copy(mode: CheckpointMode): void {
  try {
    driver.pragma(`wal_checkpoint(${mode})`);
  } catch {
    // Another process does it, or the file is gone: the next look asks again.
  }
}
