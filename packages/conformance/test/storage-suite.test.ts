import { describe, expect, test } from "vitest";
import { storageSuite, type StorageSuiteOptions } from "../src/storage-suite.ts";
import { SUBJECTS } from "../src/subjects.ts";
import { emptyStorage } from "./empty-storage.ts";

interface Declared {
  readonly name: string;
  readonly run: () => Promise<void>;
}

/** The tests that the suite declares for a storage that keeps nothing. */
function declared(waivers?: StorageSuiteOptions["waivers"]): readonly Declared[] {
  const tests: Declared[] = [];
  storageSuite({
    runner: { describe: (_, body) => body(), test: (name, run) => tests.push({ name, run }) },
    name: "empty",
    create: async () => ({ storage: emptyStorage(), close: async () => {} }),
    waivers,
  });
  return tests;
}

/** What holds even where nothing is kept. */
const HOLDS = ["closing twice does nothing"];
const titles = SUBJECTS.flatMap(({ promises }) => promises.map(({ title }) => title));
const once = declared().slice(0, titles.length);

describe("the suite", () => {
  test("has every promise once", () => {
    expect(new Set(titles).size).toBe(titles.length);
    expect(once.map(({ name }) => name)).toEqual(titles);
  });

  test.each(once.map(({ name, run }) => [name, run] as const))(
    "a storage that keeps nothing does not pass: %s",
    async (name, run) => {
      const kept = await run().then(
        () => true,
        () => false,
      );
      expect(kept).toBe(HOLDS.includes(name));
    },
  );

  test("repeats every promise but those with a reason", () => {
    const unrepeated = SUBJECTS.flatMap(({ promises }) =>
      promises.filter((one) => one.unrepeated !== undefined),
    );
    expect(unrepeated.length).toBeLessThan(5);
    expect(declared().length).toBe(2 * titles.length - unrepeated.length);
  });
});

function waived(title: string): Declared | undefined {
  return declared({ [title]: "for a test" }).find(({ name }) => name === `${title} (waived: for a test)`);
}

describe("a waiver", () => {
  const broken = titles.find((title) => !HOLDS.includes(title)) ?? "";
  const kept = HOLDS[0] ?? "";

  test("lets a broken promise pass", async () => {
    await expect(waived(broken)?.run()).resolves.toBeUndefined();
  });

  test("of a promise that holds fails", async () => {
    await expect(waived(kept)?.run()).rejects.toThrow("waived, but holds");
  });

  test("needs a reason and a promise", () => {
    expect(() => declared({ [kept]: " " })).toThrow("without a reason");
    expect(() => declared({ "jobs are nice": "for a test" })).toThrow("of no promise");
  });
});
