import fc from "fast-check";
import { expect, test } from "vitest";
import { Heap, type HeapItem } from "../src/heap.ts";

interface Item extends HeapItem {
  readonly rank: number;
}

const item = (rank: number): Item => ({ rank, heapIndex: -1 });
const ranked = (): Heap<Item> => new Heap<Item>((left, right) => left.rank < right.rank);

test("a heap gives up its items in order, whatever was taken out between", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.integer(), fc.boolean())), (entries) => {
      const heap = ranked();
      const items = entries.map(([rank, stays]) => ({ ...item(rank), stays }));
      for (const one of items) heap.push(one);
      const taken = items.filter(({ stays }) => !stays);
      expect(taken.every((one) => heap.remove(one))).toBe(true);
      const kept = items.filter(({ stays }) => stays).map(({ rank }) => rank);
      expect(heap.size).toBe(kept.length);
      const popped = kept.map(() => heap.pop()?.rank);
      expect(popped).toEqual(kept.toSorted((left, right) => left - right));
      expect(heap.pop()).toBeUndefined();
    }),
    { seed: 1 },
  );
});

test("an item that another heap holds, or none, is not taken out", () => {
  const [heap, other] = [ranked(), ranked()];
  const [here, there] = [item(1), item(2)];
  heap.push(here);
  other.push(there);
  expect(heap.remove(there)).toBe(false);
  expect(heap.remove(item(1))).toBe(false);
  expect([heap.has(here), heap.has(there), heap.size, other.size]).toEqual([true, false, 1, 1]);
});

test("a hundred thousand items cost no more comparisons than their number times its logarithm, twice", () => {
  const count = 100_000;
  let comparisons = 0;
  const heap = new Heap<Item>((left, right) => {
    comparisons += 1;
    return left.rank < right.rank;
  });
  for (let index = 0; index < count; index += 1) heap.push(item((index * 7919) % count));
  for (let index = 0; index < count; index += 1) expect(heap.pop()?.rank).toBe(index);
  expect(comparisons).toBeLessThan(2 * count * Math.log2(count) + 2 * count);
});

test("it is told how many come before an item", () => {
  const heap = ranked();
  const items = [5, 3, 8, 1].map(item);
  for (const one of items) heap.push(one);
  expect(items.map((one) => heap.countBefore(one))).toEqual([2, 1, 3, 0]);
});
