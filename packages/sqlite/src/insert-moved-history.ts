import type { MovedStart, MovedStats } from "@taskq/core/storage";
import { arrivedId } from "./moved-history.js";
import type { Move } from "./move.js";
import { LIMIT } from "./starts.js";

export function insertStart(move: Move, { key, time, fence, holder, until }: MovedStart): void {
  move
    .sql("INSERT OR IGNORE INTO {starts} (queue, gate, time, fence, holder, until) VALUES (?, ?, ?, ?, ?, ?)")
    .run(arrivedId(move.queue), LIMIT + key, time, fence, holder, until);
}

export function insertStats(
  move: Move,
  { task, minute, completed, failed, retried, wait, run }: MovedStats,
): void {
  move
    .sql(
      "INSERT OR IGNORE INTO {stats} (queue, minute, task, completed, failed, retried, wait, run) " +
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .run(
      arrivedId(move.queue),
      minute,
      task,
      completed,
      failed,
      retried,
      JSON.stringify(wait),
      JSON.stringify(run),
    );
}
