/** Copies what a still queue keeps, page by page, each behind the one that the target has: it may have lost some, or be filled by another process too. */
import { setImmediate as nextTurn } from "node:timers/promises";
import { TaskqError } from "../errors.js";
import { MOVED_AT_ONCE, type ImportAnswer, type MoveCounts } from "../storage.js";
import type { Move } from "./move.js";
import { resealer, type Resealer } from "./reseal.js";

/** The cursor behind the last page. */
const ALL = "all";

interface Filling {
  readonly move: Move;
  readonly departure: string;
  readonly reseal: Resealer | undefined;
}

/**
 * Answers what both keep.
 *
 * @param at how the target stands
 * @throws `TASKQ_MOVE` when the two differ, `TASKQ_MOVED` when one of them is not what it was any more
 */
export async function fillTarget(move: Move, departure: string, at: ImportAnswer): Promise<MoveCounts> {
  const { source, target, about } = move;
  const filling = { move, departure, reseal: resealer(source, target) };
  for (let stands = at; ;) {
    const { counts = {} } = await allCopied(filling, stands);
    const { counts: expected = {} } = await source.storage.export({ ...about, kind: "count", departure });
    const different = [...new Set([...Object.keys(expected), ...Object.keys(counts)])].filter(
      (name) => (expected[name] ?? 0) !== (counts[name] ?? 0),
    );
    if (different.length === 0) return counts;
    // It was counted by several calls: between them it may have gone back.
    stands = await target.storage.import({ ...about, kind: "seal", departure, behind: ALL });
    if (!stands.complete) continue;
    const list = different.map((name) => `${name} ${expected[name] ?? 0} and ${counts[name] ?? 0}`);
    throw new TaskqError(
      "TASKQ_MOVE",
      `moveQueue: expected the target to keep what the source does, got ${list.join(", ")}; ` +
        "nothing was opened, and cancelMove takes the move back",
    );
  }
}

/** Until the target has all, and has put it together. */
async function allCopied(filling: Filling, at: ImportAnswer): Promise<ImportAnswer> {
  const { move, departure } = filling;
  for (let stands = at; ; await nextTurn()) {
    move.check();
    if (!stands.complete && stands.cursor !== ALL) {
      stands = await copyPage(filling, stands.cursor);
      continue;
    }
    move.tell("comparing", 0);
    stands = await move.target.storage.import({ ...move.about, kind: "seal", departure, behind: ALL });
    if (stands.complete && !stands.more) return stands;
  }
}

/** Answers how the target stands then: in this process a storage answers at once, and whoever breaks it off has its turn behind. */
async function copyPage(
  { move, departure, reseal }: Filling,
  cursor: string | undefined,
): Promise<ImportAnswer> {
  const { source, target, about } = move;
  const now = source.time.requestNow();
  const asked = { ...about, kind: "page", departure } as const;
  const page = await source.storage.export({ ...asked, cursor, limit: MOVED_AT_ONCE, now });
  const records = reseal === undefined ? page.records : await reseal(page.records);
  const next = page.cursor ?? ALL;
  const answer = await target.storage.import({ ...asked, records, behind: cursor, cursor: next });
  if (answer.cursor !== next) return answer;
  move.records += records.length;
  move.tell("copying", 0);
  return answer;
}
