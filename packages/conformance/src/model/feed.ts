/** Reads the feed of both storages, and compares what it tells. */
import assert from "node:assert/strict";
import {
  isFinal,
  type FinalEvent,
  type StorageContract,
  type StoredEvent,
  type StoredRecord,
} from "@taskq/core/storage";
import { text } from "../bytes.js";
import type { NameRun } from "./normal.js";

const SIDES = ["reference", "tested"] as const;
type Side = (typeof SIDES)[number];
type Pair<A> = Readonly<Record<Side, A>>;

/** What of the world a feed is compared with. */
interface Followed {
  readonly now: number;
  readonly storages: Pair<StorageContract>;
  readonly known: ReadonlyMap<string, StoredRecord>;
  readonly nameRun: Pair<NameRun>;
  readonly cover: (what: "feed: told", times: number) => void;
}
const PAGE = 7;

/** States that only a run brings about. */
const BY_RUN: ReadonlySet<string> = new Set(["completed", "failed", "quarantined"]);

/** What was read of the feed so far. */
export class FollowedFeed {
  readonly #queue: string;
  readonly #cursors = { reference: "now", tested: "now" };
  readonly #told: Pair<Map<string, FinalEvent>> = { reference: new Map(), tested: new Map() };
  /** Skipped jobs, of which a storage chooses the moment. */
  readonly #skipped: Pair<string[]> = { reference: [], tested: [] };

  constructor(queue: string) {
    this.#queue = queue;
  }

  /** Reads on on both sides; what was told since the last time must be the same but for its order. */
  async read(world: Followed): Promise<void> {
    const told: string[][] = [];
    for (const side of SIDES) {
      const events = await this.#readSide(world, side);
      for (const event of events) {
        const before = this.#told[side].get(event.id);
        // Without a run of its own a job may end again, when what stopped it was taken back.
        const ran = event.fence > 0 && BY_RUN.has(event.state);
        const again = ran && before?.fence === event.fence && before.state === event.state;
        assert.ok(!again, `${event.id} is told of twice for one run: ${side}`);
        this.#told[side].set(event.id, event);
      }
      const words = events.map((event) => normalEvent(event, world.nameRun[side]));
      this.#skipped[side].push(...words.filter((word) => word.includes(" skipped ")));
      told.push(words.filter((word) => !word.includes(" skipped ")).toSorted());
      if (side === "tested") world.cover("feed: told", events.length);
    }
    assert.deepEqual(told[1], told[0], "the feeds differ");
  }

  /** At the end, each job that is final was told of, in this state. */
  check(world: Followed): void {
    assert.deepEqual(this.#skipped.tested.toSorted(), this.#skipped.reference.toSorted(), "the feeds differ");
    for (const record of world.known.values()) {
      if (record.kind !== "job" || !isFinal(record.state)) continue;
      for (const side of SIDES) {
        const state: string | undefined = this.#told[side].get(record.id)?.state;
        assert.equal(state, record.state, `${record.id} is ${record.state}, the feed says ${state}: ${side}`);
      }
    }
  }

  async #readSide({ storages, now }: Followed, side: Side): Promise<readonly StoredEvent[]> {
    const events: StoredEvent[] = [];
    for (;;) {
      const request = { queue: this.#queue, from: this.#cursors[side], limit: PAGE, now };
      const page = await storages[side].events(request);
      this.#cursors[side] = page.cursor;
      events.push(...page.events);
      if (page.events.length === 0) return events;
    }
  }
}

function normalEvent(event: StoredEvent, nameRun: NameRun): string {
  const { id, task, state, attempt, fence, time, startedAt, reason, error } = event;
  const when = state === "skipped" ? "" : ` at ${time}`;
  return (
    `${id} ${task} ${state} after ${attempt}, ${nameRun(id, fence)}${when}, begun ${startedAt}, ` +
    `${reason} ${text(error)}`
  );
}
