import { raceSuite } from "@taskq/conformance";
import { expect, test } from "vitest";

/** The race of the kit on stores in memory, of which each process has its own. */
async function race(processes: number): Promise<void> {
  const tests: (() => Promise<void>)[] = [];
  raceSuite({
    runner: { describe: (_, body) => body(), test: (_, body) => tests.push(body) },
    name: "memory",
    open: new URL("./open-race.js", import.meta.url).href,
    prepare: async () => ({ environment: {}, remove: async () => {} }),
    processes,
    duration: 500,
  });
  for (const run of tests) await run();
}

test("one process on one store passes the race of the kit", async () => {
  await expect(race(1)).resolves.toBeUndefined();
});

test("processes that share no store do not pass the race of the kit", async () => {
  await expect(race(2)).rejects.toThrow(/two processes got the fence|attempt 1/);
});
