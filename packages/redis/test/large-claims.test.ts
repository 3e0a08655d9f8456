/** Messages that are too large together for one answer over a slow network. */
import type { NewJob, StepAnswer } from "@taskq/core/storage";
import { describe, expect, test } from "vitest";
import { serverBinary } from "./servers/binary.js";
import { serverOfTest } from "./support/callers.js";
import { newPrefix } from "./support/store.js";
import { alone, newJob, opened, QUEUE, step } from "./support/spread.js";

const LARGE = 500_000;
/** As many as the answer of a claim has room for. */
const ROOM = 3;
const JOBS = 22;
const claim = { begin: 15, ahead: 15, lease: 30_000 };

const gate = { kind: "concurrency", key: "gate", max: 100, per: undefined, onBusy: "wait" } as const;
const several: readonly Partial<NewJob>[] = [
  {},
  { gates: [gate] },
  { delivery: "at-most-once" },
  { priority: 3 },
];
const kinds: readonly (readonly [string, (place: number) => Partial<NewJob>])[] = [
  ["alike", () => ({})],
  ["with gates", () => ({ gates: [gate] })],
  ["of several kinds", (place) => several[place % several.length] ?? {}],
];

/** Of each message its length, and the byte that it is made of. */
function told(jobs: readonly { readonly id: string; readonly body: Uint8Array }[]): ReadonlySet<string> {
  return new Set(jobs.map(({ id, body }) => [id, body.length, body[0], body.at(-1)].join(" ")));
}

describe.skipIf(serverBinary() === undefined)("large messages", () => {
  test.each(kinds)("are claimed few at a time, each once (%s)", async (_, kind) => {
    const server = await serverOfTest();
    const storage = await opened({ url: server.url, keyPrefix: newPrefix() });
    const jobs = Array.from({ length: JOBS }, (_each, place) =>
      newJob({ body: new Uint8Array(LARGE).fill(place), ...kind(place) }),
    );
    // What is small goes with whatever there is room for.
    const small = Array.from({ length: 40 }, () => newJob({ body: new Uint8Array(600) }));
    await storage.enqueue({ queue: QUEUE, flows: [...jobs, ...small].map(alone) });
    const answers: StepAnswer[] = [];
    for (let steps = 0; steps < 12; steps += 1) answers.push(await step(storage, { claim }));
    const claimed = answers.flatMap((answer) => answer.claimed);
    expect(told(claimed)).toEqual(told([...jobs, ...small]));
    const large = answers.map(({ claimed: own }) => own.filter(({ body }) => body.length === LARGE).length);
    expect(Math.max(...large)).toBe(ROOM);
    expect(answers.filter(({ more }, place) => large[place] === ROOM && !more)).toEqual([]);
    expect(answers.at(-1)?.more).toBe(false);
  });
});
