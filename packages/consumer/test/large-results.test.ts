/** Results that are too large together for one call over a slow network. */
import { faultyStorage } from "@taskq/conformance";
import { createQueue, task } from "@taskq/core";
import { expect, test } from "vitest";
import { closing, serve } from "./serving.js";
import { Gate, storages } from "./support.js";

const LARGE = 500_000;
const JOBS = 20;

test.each(storages)(
  "what ends together is settled by several steps where it is large (%s)",
  async (_name, makeStorage) => {
    const storage = faultyStorage(await makeStorage());
    const settled: number[] = [];
    const withClaim: number[] = [];
    storage.faults.breakWhen("step", (request) => {
      const sizes = request.settled.map(({ outcome }) =>
        outcome.kind === "completed" ? (outcome.result?.length ?? 0) : 0,
      );
      const size = sizes.reduce((all, each) => all + each, 0);
      settled.push(size);
      if (request.claim !== undefined) withClaim.push(size);
      return false;
    });
    const gate = new Gate();
    let begun = 0;
    const large = task("large", async (letter: string) => {
      begun += 1;
      if (begun === JOBS) gate.open();
      await gate.opened;
      return letter.repeat(LARGE);
    });
    const queue = closing(createQueue({ storage, tasks: { large } }));
    const letters = Array.from({ length: JOBS }, (_, place) => String.fromCodePoint(97 + place));
    const results = await queue.enqueueMany(letters.map((letter) => large.job(letter)));
    await serve(queue, { workers: JOBS });
    const values = await Promise.all(results.map((result) => result.wait({ timeout: "15s" })));
    expect(values.map((value) => [value[0], value.length])).toEqual(letters.map((letter) => [letter, LARGE]));
    expect(Math.max(...settled)).toBeGreaterThan(2 ** 20);
    expect(Math.max(...settled)).toBeLessThan(2 ** 20 + 2 * LARGE);
    // Over a slow network there is no time for what it would bring as well.
    expect(Math.max(...withClaim)).toBeLessThan(LARGE);
  },
);
