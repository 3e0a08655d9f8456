import type { Engine, RunHost } from "@taskq/core/engine";
import type { ClaimedJob } from "@taskq/core/storage";
import { expect, it } from "vitest";
import type { HeldRun } from "../src/held-run.js";
import { HeldRuns } from "../src/held-runs.js";
import { stampNow } from "../src/stamp.js";
import { seeded } from "./support.ts";

function held(runs: HeldRuns, id: string, fence: number): HeldRun {
  // A run reads neither its engine nor its host before it begins.
  return runs.add({ id, fence, begun: true } as ClaimedJob, stampNow());
}

const newRuns = (): HeldRuns => new HeldRuns({} as Engine, {} as RunHost);

it("finds what is held as a Map would, in whatever order ids come, and through thousands that come in order", () => {
  const runs = newRuns();
  const model = new Map<string, HeldRun>();
  const random = seeded(7);
  for (let step = 0; step < 12_000; step += 1) {
    // Now in order, now anyhow, and now and then until nothing is held.
    const inOrder = step % 4_000 < 2_500;
    const id = String(inOrder ? 100_000 + step : random(200_000)).padStart(6, "0");
    const known = model.get(id);
    // Asked seldom where they come in order, so that no index is kept.
    const isAsked = !inOrder || step % 50 === 0;
    expect(isAsked ? runs.get(id) : known).toBe(known);
    if (known === undefined) model.set(id, held(runs, id, step));
    while (model.size > (step % 4_000 === 3_999 ? 0 : 40)) {
      const [oldest] = model.values();
      if (oldest === undefined) break;
      model.delete(oldest.claimed.id);
      runs.remove(oldest);
    }
    expect(runs.size).toBe(model.size);
  }
  expect(new Set(runs.all())).toEqual(new Set(model.values()));
});

it("answers the latest of two runs of one job, and lets each go by itself", () => {
  const runs = newRuns();
  const before = held(runs, "a", 1);
  const after = held(runs, "a", 2);
  expect(runs.get("a")).toBe(after);
  expect(runs.find({ id: "a", fence: 1 })).toBeUndefined();
  runs.remove(before);
  runs.remove(before);
  expect(runs.get("a")).toBe(after);
  expect(runs.size).toBe(1);
  runs.remove(after);
  expect(runs.get("a")).toBeUndefined();
  expect(runs.size).toBe(0);
});
