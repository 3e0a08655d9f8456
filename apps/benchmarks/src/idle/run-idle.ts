import { statSync } from "node:fs";
import { join } from "node:path";
import { startRole } from "../roles/start-role.js";

export interface IdleReport {
  /** Names of the queue's files that changed in size or time, came or went. */
  readonly changed: readonly string[];
  /** Of one core. */
  readonly cpuShare: number;
}

/** A consumer with nothing to do, watched from outside. */
export async function runIdle(folder: string, seconds: number): Promise<IdleReport> {
  const path = join(folder, "queue.db");
  const consumer = startRole("idle-consumer", { path, seconds });
  const over = new Promise<void>((resolve, reject) => {
    consumer.onProgress(() => resolve());
    consumer.answer.catch(reject);
  });
  await consumer.ready;
  const before = look(path);
  consumer.go();
  await over;
  const after = look(path);
  consumer.stop();
  const { cpuShare } = await consumer.answer;
  const changed = [...before].filter(([name, seen]) => after.get(name) !== seen).map(([name]) => name);
  return { changed, cpuShare };
}

/** The file and its log; the index of the log is shared memory that readers mark too. */
function look(path: string): Map<string, string> {
  return new Map(
    ["queue.db", "queue.db-wal"].map((name) => {
      const stat = statSync(path.replace("queue.db", name), { throwIfNoEntry: false });
      return [name, stat === undefined ? "none" : `${stat.size} bytes at ${stat.mtimeMs}`];
    }),
  );
}
