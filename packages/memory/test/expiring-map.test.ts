import { expect, test } from "vitest";
import { ExpiringMap } from "../src/expiring-map.ts";

test("an entry is gone from its instant on", () => {
  const map = new ExpiringMap<string>();
  map.set("a", "value", 100, 0);
  expect([map.get("a", 99), map.until("a", 99)]).toEqual(["value", 100]);
  expect([map.get("a", 100), map.until("a", 100)]).toEqual([undefined, undefined]);
  expect(map.delete("a", 100)).toBe(false);
});

test("deleting tells whether it was there", () => {
  const map = new ExpiringMap<number>();
  map.set("a", 1, Infinity, 0);
  expect([map.delete("a", 5), map.delete("a", 5), map.get("a", 5)]).toEqual([true, false, undefined]);
});

test("entries that are gone do not pile up, and the others stay", () => {
  const map = new ExpiringMap<number>();
  map.set("kept", 0, Infinity, 0);
  for (let now = 1; now <= 10_000; now += 1) map.set(`key ${now}`, now, now + 1, now);
  expect(map.size).toBeLessThan(1_100);
  expect(map.get("kept", 10_000)).toBe(0);
  expect(map.get("key 10000", 10_000)).toBe(10_000);
});
