/** What the moves of a whole run have really done, so that a move that never does anything is found out. */
import assert from "node:assert/strict";

/** Everything that must happen at least once in a run. */
const REQUIRED = [
  "enqueue: stored",
  "enqueue: existing",
  "enqueue: repeated",
  "enqueue: TASKQ_ID_TAKEN",
  "enqueue: collision",
  "enqueue: delayed",
  "enqueue: empty group",
  "enqueue: behind what is there",
  "unique: ignored",
  "unique: replaced",
  "claim: begun",
  "claim: ahead",
  "claim: nothing",
  "claim: only some ids",
  "claim: repeated",
  "claim: verdict",
  "claim: with sources",
  "claim: again",
  "begun: marked",
  "settle: completed applied",
  "settle: completed without result",
  "settle: failed applied",
  "settle: retry applied",
  "settle: released applied",
  "settle: postponed applied",
  "settle: keyed applied",
  "settle: interrupted applied",
  "settle: cancelled applied",
  "settle: expired applied",
  "settle: skipped applied",
  "settle: quarantined applied",
  "settle: repeated",
  "settle: lost",
  "settle: unknown id",
  "settle: flows added",
  "renew: kept",
  "renew: lost",
  "renew: revoked",
  "step: revoked",
  "reap: begun",
  "reap: unbegun",
  "reap: failed",
  "reap: crashed",
  "amend: revoke",
  "amend: restore",
  "amend: reschedule",
  "amend: retry",
  "amend: remove",
  "amend: refused",
  "control: pause",
  "control: resume",
  "control: revoke",
  "control: restore",
  "control: inspect",
  "schedules: declare",
  "schedules: upsert",
  "schedules: pause",
  "schedules: resume",
  "schedules: remove",
  "tick: applied",
  "tick: stale",
  "tick: overlapped",
  "tick: paused",
  "tick: revoked",
  "tick: removed",
  "note: accepted",
  "note: refused",
  "values: get",
  "values: take",
  "values: delete",
  "values: set",
  "values: set-if-absent",
  "values: compare-and-delete",
  "values: as-number",
  "values: increment",
  "values: repeated",
  "keys: held",
  "keys: waiting",
  "keys: busy",
  "keys: lost",
  "keys: released",
  "keys: none",
  "keys: inspected",
  "take: taken",
  "take: used up",
  "feed: told",
  "explain: asked",
  "list: paged",
  "purge: removed",
  "purge: everything",
  "state: blocked",
  "state: parked",
  "state: completed",
  "state: failed",
  "state: cancelled",
  "state: expired",
  "state: skipped",
  "state: quarantined",
  "join: blocked",
  "join: completed",
  "join: failed",
  "join: skipped",
] as const;

export type Covered = (typeof REQUIRED)[number];

export class Coverage {
  readonly #counts = new Map<string, number>();

  add(what: Covered, times = 1): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + times);
  }

  /** How often each thing happened, the rarest first. */
  counts(): readonly (readonly [string, number])[] {
    return REQUIRED.map((what) => [what, this.#counts.get(what) ?? 0] as const).toSorted(
      (one, other) => one[1] - other[1],
    );
  }

  /** Fails if anything never happened. */
  mustBeComplete(): void {
    const missing = REQUIRED.filter((what) => !this.#counts.has(what));
    assert.deepEqual(missing, [], "never happened in the whole run");
  }
}
