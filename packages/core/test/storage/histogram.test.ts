import { Histogram } from "@taskq/core/storage";
import { describe, expect, test } from "vitest";

/** The same numbers with each run: a linear congruential generator (Numerical Recipes, 1992). */
function* randoms(seed: number): Generator<number> {
  for (let state = seed; ;) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    yield state / 2 ** 32;
  }
}

function histogramOf(values: readonly number[]): Histogram {
  const histogram = new Histogram();
  for (const value of values) histogram.record(value);
  return histogram;
}

/** The least value than which this share of the values is no greater. */
function exactly(values: readonly number[], share: number): number {
  const sorted = values.toSorted((left, right) => left - right);
  return sorted[Math.max(1, Math.ceil(share * sorted.length)) - 1] ?? Number.NaN;
}

describe("a histogram", () => {
  test("answers any share no lower than it is, and higher by less than a 32nd", () => {
    const source = randoms(20_261_121);
    for (const greatest of [10, 63, 64, 1_000, 86_400_000, 2 ** 31, 2 ** 40]) {
      const next = (): number => Math.floor(greatest ** (source.next().value as number));
      const values = Array.from({ length: 2_000 }, next);
      const histogram = histogramOf(values);
      for (const share of [0, 0.01, 0.5, 0.9, 0.95, 0.99, 0.999, 1]) {
        const truth = exactly(values, share);
        const found = histogram.atShare(share);
        expect(found).toBeGreaterThanOrEqual(truth);
        expect(found - truth).toBeLessThan(truth < 64 ? 1 : truth / 32);
      }
      expect(histogram.max).toBe(Math.max(...values));
      expect(histogram.atShare(1)).toBe(histogram.max);
    }
  });

  test("is exact below 64 milliseconds, and at every power of two", () => {
    for (let value = 0; value < 64; value += 1) expect(histogramOf([value, 1e9]).atShare(0.5)).toBe(value);
    for (let power = 6; power < 53; power += 1) {
      const value = 2 ** power - 1;
      expect(histogramOf([value, 2 ** 53]).atShare(0.5)).toBe(value);
    }
  });

  test("adds up to what one of all values is", () => {
    const source = randoms(7);
    const values = Array.from({ length: 999 }, () => Math.floor((source.next().value as number) ** 4 * 1e7));
    const sum = new Histogram();
    for (const part of [values.slice(0, 3), values.slice(3, 500), [], values.slice(500)]) {
      sum.add(JSON.parse(JSON.stringify(histogramOf(part).data())) as ReturnType<Histogram["data"]>);
    }
    expect(sum.data()).toEqual(histogramOf(values).data());
  });

  test("an endless duration counts as the longest there is", () => {
    const histogram = new Histogram();
    histogram.record(Infinity);
    expect(histogram.max).toBe(Number.MAX_VALUE);
    expect(histogram.atShare(1)).toBe(Number.MAX_VALUE);
  });

  test("counts what is negative or no number as 0, and answers 0 without values", () => {
    expect(histogramOf([-5, Number.NaN]).data()).toEqual({ max: 0, counts: [0, 2] });
    const none = new Histogram();
    expect([none.atShare(0.5), none.max, none.data()]).toEqual([0, 0, { max: 0, counts: [] }]);
  });

  test("what no histogram has said is left out of it, and takes no memory", () => {
    const histogram = histogramOf([5]);
    for (const bucket of [1e9, 2 ** 53, -1, Number.NaN, Infinity, "7" as unknown as number]) {
      histogram.add({ max: Infinity, counts: [bucket, "x" as unknown as number] });
      histogram.add({ max: Number.NaN, counts: [bucket, -1, bucket, Infinity] });
    }
    for (const bucket of [1e9, 2 ** 53, -1, Number.NaN, Infinity])
      histogram.add({ max: 3, counts: [bucket, 1] });
    expect(histogram.data()).toEqual({ max: 5, counts: [5, 1] });
    const longest = histogramOf([Number.MAX_VALUE]);
    histogram.add(longest.data());
    expect(histogram.atShare(1)).toBe(Number.MAX_VALUE);
  });
});
