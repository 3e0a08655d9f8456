import { describe, expect, test } from "vitest";
import { createIdMaker, joinId, splitId } from "../src/id.js";

const now = Date.parse("2026-11-20T00:00:00Z");

describe("ids", () => {
  test("a hundred thousand of one millisecond differ and sort as they were made", () => {
    const make = createIdMaker();
    const ids = Array.from({ length: 100_000 }, () => make(now));
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.toSorted()).toEqual(ids);
  });

  test("they sort by time", () => {
    const make = createIdMaker();
    const first = make(now);
    const second = make(now + 1);
    expect(first < second).toBe(true);
    expect(splitId(second)?.time).toBe(now + 1);
  });

  test("they are taken apart and put together again", () => {
    const make = createIdMaker();
    for (const time of [0, 1, now, 2 ** 42 - 1]) {
      const id = make(time);
      const parts = splitId(id);
      expect(id).toMatch(/^[0-9a-v]{22}$/);
      expect(parts?.time).toBe(time);
      expect(parts && joinId(parts)).toBe(id);
    }
    expect(joinId({ time: now, low: 2 ** 21 - 1, random: 2 ** 40 - 1 })).toHaveLength(22);
  });

  test("of a clock that shows what they cannot tell, they are ids all the same, and differ", () => {
    for (const time of [-1, -now, 2 ** 42, Date.UTC(2300, 0, 1), 8.64e15, -8.64e15]) {
      const make = createIdMaker();
      const ids = Array.from({ length: 2_000 }, () => make(time));
      expect(new Set(ids).size).toBe(ids.length);
      expect(ids.filter((id) => splitId(id) === undefined)).toEqual([]);
    }
  });

  test("what core did not make is told", () => {
    for (const id of ["", "charge-42", "z".repeat(22), "0".repeat(21), "v".repeat(22), "0".repeat(23)]) {
      expect(splitId(id)).toBeUndefined();
    }
  });

  test("a clock that steps back a little keeps the order, one that steps back far begins a new series", () => {
    const make = createIdMaker();
    const first = make(now);
    const second = make(now - 5_000);
    expect(second > first).toBe(true);
    expect(splitId(make(now - 60_000))?.time).toBe(now - 60_000);
  });

  test("the random part of two ids differs", () => {
    const make = createIdMaker();
    expect(splitId(make(now))?.random).not.toBe(splitId(make(now))?.random);
  });
});
