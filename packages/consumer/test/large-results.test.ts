/** Results that are too large together for one call over a slow network. */
import { faultyStorage } from "@taskq/conformance";
import { createQueue, task, type Storage } from "@taskq/core";
import type { StorageContract } from "@taskq/core/storage";
import { memoryStorage } from "@taskq/memory";
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
    const claiming: boolean[] = [];
    storage.faults.breakWhen("step", (request) => {
      const sizes = request.settled.map(({ outcome }) =>
        outcome.kind === "completed" ? (outcome.result?.length ?? 0) : 0,
      );
      const size = sizes.reduce((all, each) => all + each, 0);
      settled.push(size);
      if (size >= LARGE) claiming.push(request.claim !== undefined);
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
    // Until it is known that there is time for what it would bring as well.
    expect(claiming[0]).toBe(false);
  },
);

test("what settles much claims nothing where the storage is slow", async () => {
  const storage = memoryStorage() as Storage & StorageContract;
  const step = storage.step.bind(storage);
  const claiming: boolean[] = [];
  storage.step = async (request) => {
    if (request.settled.length > 0) claiming.push(request.claim !== undefined);
    await new Promise((resolve) => setTimeout(resolve, 300));
    return step(request);
  };
  const large = task("large", async (letter: string) => letter.repeat(LARGE));
  const queue = closing(createQueue({ storage, tasks: { large } }));
  const results = await queue.enqueueMany(["a", "b", "c", "d"].map((letter) => large.job(letter)));
  await serve(queue, { workers: 2 });
  await Promise.all(results.map((result) => result.wait({ timeout: "15s" })));
  expect(claiming.length).toBeGreaterThan(1);
  expect(claiming).not.toContain(true);
});
