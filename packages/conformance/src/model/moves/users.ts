/** What users do to jobs and tasks. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { AmendRequest, ControlRequest } from "@taskq/core/storage";
import { index } from "../arbitraries.js";
import { normalEffects, normalNote } from "../normal.js";
import { bytes } from "../../bytes.js";
import { KNOWN_TASKS, QUEUE, TASKS, type World } from "../world.js";
import { Move } from "./move.js";

interface AmendAsked {
  readonly kind: AmendRequest["change"]["kind"];
  readonly scope: "flow" | "later";
  readonly delay: number;
  /** Of the jobs that the change is for, rather than of any. */
  readonly fitting: boolean;
  readonly picks: readonly number[];
}

/** Revokes, restores, reschedules, retries or removes jobs. */
export const amend: fc.Arbitrary<Move> = fc
  .record<AmendAsked>({
    kind: fc.constantFrom("revoke", "revoke", "restore", "restore", "reschedule", "retry", "retry", "remove"),
    scope: fc.constantFrom("flow", "later"),
    delay: fc.constantFrom(0, 2_000),
    fitting: fc.constantFrom(true, true, true, false),
    picks: fc.array(index, { minLength: 1, maxLength: 2 }),
  })
  .map((asked) => new Move("amend", async (world) => playAmend(world, asked)));

async function playAmend(world: World, asked: AmendAsked): Promise<void> {
  const change = changeOf(asked, world.now);
  const candidates = asked.fitting ? fitting(world, asked.kind) : world.ids;
  const ids = asked.picks.map((pick) => world.pick(candidates, pick)).filter((id) => id !== undefined);
  if (ids.length === 0) return;
  world.said = `${asked.kind} ${"scope" in change ? change.scope : ""} ${ids.join(", ")}`;
  const result = await world.both("amend", (storage) =>
    storage.amend({ queue: QUEUE, ids: [...new Set(ids)], change, now: world.now }),
  );
  if (result.code !== undefined) {
    world.cover("amend: refused");
    return;
  }
  const { reference, tested } = result.answers;
  assert.deepEqual(
    { changed: tested.changed.toSorted(), effects: normalEffects(tested.effects) },
    { changed: reference.changed.toSorted(), effects: normalEffects(reference.effects) },
    "amend answers otherwise",
  );
  if (reference.changed.length > 0) world.cover(`amend: ${asked.kind}`);
}

function changeOf({ kind, scope, delay }: AmendAsked, now: number): AmendRequest["change"] {
  if (kind === "revoke" || kind === "restore") return { kind, scope };
  return kind === "reschedule" ? { kind, due: now + delay } : { kind };
}

/** Ids that such a change is likely to be for. */
function fitting(world: World, kind: AmendRequest["change"]["kind"]): readonly string[] {
  const states = {
    revoke: ["blocked", "scheduled", "ready", "parked", "active"],
    restore: ["cancelled"],
    reschedule: ["blocked", "scheduled", "ready", "parked"],
    retry: ["failed", "quarantined"],
    remove: ["completed", "failed", "cancelled", "expired", "skipped", "quarantined"],
  }[kind];
  const revoke = kind === "revoke";
  const ids = world.there(revoke).filter((id) => states.includes(world.known.get(id)?.state ?? ""));
  // Waiting ones are many, and the owners of active ones must be told.
  const active = ids.filter((id) => world.known.get(id)?.state === "active");
  return revoke ? [...ids, ...active, ...active] : ids;
}

interface ControlAsked {
  readonly task: string | undefined;
  readonly kind: ControlRequest["change"]["kind"];
  readonly once: boolean;
  readonly until: number | undefined;
}

/** Pauses and resumes the queue and its tasks, revokes and restores tasks. */
export const control: fc.Arbitrary<Move> = fc
  .record<ControlAsked>({
    task: fc.constantFrom(undefined, TASKS[0], TASKS[0], TASKS[1]),
    kind: fc.constantFrom("pause", "resume", "resume", "revoke", "revoke", "restore", "restore", "inspect"),
    once: fc.boolean(),
    until: fc.constantFrom(undefined, 5_000),
  })
  .map((asked) => new Move("control", async (world) => playControl(world, asked)));

async function playControl(world: World, { task: asked, kind, once, until }: ControlAsked): Promise<void> {
  const undoing = kind === "resume" || kind === "restore";
  const task = undoing ? await toUndo(world, kind, asked) : asked;
  if (task === undefined && (kind === "revoke" || kind === "restore")) return;
  const change: ControlRequest["change"] =
    kind === "revoke"
      ? { kind, once, until: until === undefined || once ? undefined : world.now + until }
      : { kind };
  world.said = `${kind}${kind === "revoke" && once ? " once" : ""} ${task ?? "the queue"}`;
  const result = await world.both("control", (storage) =>
    storage.control({ queue: QUEUE, task, change, now: world.now }),
  );
  if (result.code !== undefined) return;
  const { reference, tested } = result.answers;
  assert.deepEqual(tested, reference, "control answers otherwise");
  if (reference.changed || kind === "inspect") world.cover(`control: ${kind}`);
}

/** A task, or the queue, that is paused or revoked; the one asked for, if there is none. */
async function toUndo(
  world: World,
  kind: "resume" | "restore",
  asked: string | undefined,
): Promise<string | undefined> {
  for (const task of [undefined, ...TASKS]) {
    const { paused, revoked } = await world.storages.reference.control({
      queue: QUEUE,
      task,
      change: { kind: "inspect" },
      now: world.now,
    });
    if (kind === "resume" ? paused : revoked) return task;
  }
  return asked;
}

/** Writes progress or a line for a run, of today or of old. */
export const note: fc.Arbitrary<Move> = fc
  .record({ pick: index, held: fc.boolean(), kind: fc.constantFrom("progress" as const, "log" as const) })
  .map(({ pick, held, kind }) => {
    return new Move("note", async (world) => {
      const run = world.pick(held ? [...world.held] : world.runs, pick);
      if (run === undefined) return;
      const line = bytes(`note ${world.nextNumber() % 7}`);
      world.said = `${kind} of ${run.id}@${run.fence.reference}`;
      const result = await world.both("note", (storage, side) =>
        storage.note({
          queue: QUEUE,
          run: { id: run.id, fence: run.fence[side] },
          kind,
          bytes: line,
          now: world.now,
        }),
      );
      if (result.code !== undefined) return;
      assert.equal(result.answers.tested, result.answers.reference, "a note is taken otherwise");
      world.cover(result.answers.reference ? "note: accepted" : "note: refused");
      await compareNotes(world, run.id);
    });
  });

async function compareNotes(world: World, id: string): Promise<void> {
  const result = await world.both("notes", (storage) => storage.notes({ queue: QUEUE, id }));
  if (result.code !== undefined) return;
  const { reference, tested } = result.answers;
  assert.deepEqual(
    tested.map((line) => normalNote(id, line, world.nameRun.tested)),
    reference.map((line) => normalNote(id, line, world.nameRun.reference)),
    `the notes of ${id} differ`,
  );
}

/** Asks why jobs stand where they stand: final, running and blocked ones stand alike on both sides. */
export const explain: fc.Arbitrary<Move> = fc.array(index, { minLength: 1, maxLength: 4 }).map(
  (picks) =>
    new Move("explain", async (world) => {
      const ids = picks.map((pick) => world.pick(world.ids, pick)).filter((id) => id !== undefined);
      if (ids.length === 0) return;
      world.said = ids.join(", ");
      const result = await world.both("explain", (storage) =>
        storage.explain({ queue: QUEUE, ids, tasks: KNOWN_TASKS[0], now: world.now }),
      );
      if (result.code !== undefined) return;
      const plain = (facts: (typeof result.answers)["tested"]): unknown =>
        facts.map(({ id, state, task, causes }) => {
          const waits = ["ready", "parked", "scheduled"].includes(state);
          const codes = causes.map(({ code }) => code).filter((code) => code !== "crashed");
          return waits ? { id, task } : { id, state, task, codes };
        });
      assert.deepEqual(plain(result.answers.tested), plain(result.answers.reference), "explains otherwise");
      world.cover("explain: asked");
    }),
);

/** Reads the jobs in pages. */
export const list: fc.Arbitrary<Move> = fc
  .record({ limit: fc.integer({ min: 1, max: 7 }), task: fc.constantFrom(undefined, ...TASKS) })
  .map(({ limit, task }) => {
    return new Move("list", async (world) => {
      world.said = `${task ?? "all"}, ${limit} a page`;
      let after: string | undefined;
      do {
        const from = after;
        const result = await world.both("list", (storage) =>
          storage.list({ queue: QUEUE, task, after: from, limit, now: world.now }),
        );
        if (result.code !== undefined) return;
        const { reference, tested } = result.answers;
        assert.deepEqual(
          tested.records.map(({ id }) => id),
          reference.records.map(({ id }) => id),
          "lists otherwise",
        );
        after = reference.after;
        // At the end of a full page a storage may not know yet that nothing follows.
        if (tested.after === undefined || after === undefined) break;
        world.cover("list: paged");
      } while (after !== undefined);
    });
  });
