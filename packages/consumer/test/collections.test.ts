import { describe, expect, it } from "vitest";
import { Bag, type InBag } from "../src/bag.js";
import { YoungMap } from "../src/young-map.js";
import { seeded } from "./support.ts";

describe("a map of what comes and goes", () => {
  it("answers what a Map would, whatever is entered, replaced and deleted", () => {
    const map = new YoungMap<number, number>();
    const model = new Map<number, number>();
    const random = seeded(11);
    for (let step = 0; step < 20_000; step += 1) {
      const key = random(60);
      if (random(2) === 0) {
        map.set(key, step);
        model.set(key, step);
      } else {
        map.delete(key);
        model.delete(key);
      }
      expect(map.get(key)).toBe(model.get(key));
      expect(map.size).toBe(model.size);
    }
    expect(new Set(map.values())).toEqual(new Set(model.values()));
  });

  it("keeps through its ages what is never deleted", () => {
    const map = new YoungMap<number, string>();
    map.set(-1, "stays");
    for (let key = 0; key < 10_000; key += 1) {
      map.set(key, "goes");
      map.delete(key);
    }
    expect(map.get(-1)).toBe("stays");
    expect(map.values()).toEqual(["stays"]);
  });

  it("grows to more than it held when its last age began", () => {
    const map = new YoungMap<number, number>();
    for (let key = 0; key < 5_000; key += 1) map.set(key, key);
    expect(map.size).toBe(5_000);
    expect(map.get(0)).toBe(0);
    expect(map.get(4_999)).toBe(4_999);
  });
});

const thing = (): InBag => ({ place: -1 });

describe("a bag", () => {
  it("takes things in and out in any order", () => {
    const bag = new Bag<InBag>();
    const things = Array.from({ length: 5 }, thing);
    for (const each of things) bag.add(each);
    for (const index of [2, 4, 0]) bag.delete(things[index] as InBag);
    expect(bag.size).toBe(2);
    expect(new Set(bag)).toEqual(new Set([things[1], things[3]]));
  });

  it("passes over what is not in it, or was taken out before", () => {
    const bag = new Bag<InBag>();
    const [first, second, stranger] = [thing(), thing(), thing()];
    bag.add(first);
    bag.add(second);
    bag.delete(first);
    bag.delete(first);
    bag.delete(stranger);
    expect([...bag]).toEqual([second]);
  });

  it("is iterated as it was when that began, and takes all in again after it was cleared", () => {
    const bag = new Bag<InBag>();
    const things = Array.from({ length: 3 }, thing);
    for (const each of things) bag.add(each);
    const seen: InBag[] = [];
    for (const each of bag) {
      seen.push(each);
      bag.delete(each);
    }
    expect(seen).toEqual(things);
    bag.clear();
    bag.add(things[0] as InBag);
    expect(bag.size).toBe(1);
  });
});
