import { statSync } from "node:fs";
import Database from "better-sqlite3";
import type { Counts } from "@taskq/core";
import { check, type Check } from "./checks.js";
import { countKeys, isFile, type Store } from "./store.js";
import { grouped } from "./style.js";
import { heartbeat } from "./tutorial-tasks.js";

const UNFINISHED = ["blocked", "scheduled", "ready", "parked", "active"] as const;

/** What is left in the queue once its work is done. A heartbeat may fall into the moment of stopping. */
export function checkCounts(byTask: Readonly<Record<string, Counts>>): Check {
  const counted = Object.entries(byTask).filter(([name]) => name !== heartbeat.name);
  const left = counted.reduce(
    (sum, [, counts]) => UNFINISHED.reduce((more, state) => more + counts[state], sum),
    0,
  );
  return check("jobs left over, lost or stuck", 0, grouped(left));
}

/** What can be told of the store itself, after all processes have let go of it; it is removed. */
export async function checkAndRemove(store: Store): Promise<readonly Check[]> {
  const checks = isFile ? checkFile(store.place) : [];
  await store.remove();
  return isFile ? checks : [check("Redis: keys of the demo left behind", 0, await countKeys(store.place))];
}

/** SQLite's own check. */
function checkFile(path: string): readonly Check[] {
  const database = new Database(path, { readonly: true });
  try {
    const answer = String(database.pragma("integrity_check", { simple: true }));
    const mode = (statSync(path).mode & 0o777).toString(8);
    const checks = [check("database: integrity_check", "ok", answer)];
    return process.platform === "win32"
      ? checks
      : [...checks, check("database: readable by its owner only", "600", mode)];
  } finally {
    database.close();
  }
}
