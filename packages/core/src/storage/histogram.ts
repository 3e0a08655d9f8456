/** Durations counted in buckets that grow with them. */

/** Below this, each millisecond has a bucket of its own. */
const EXACT = 64;
/** Buckets from one power of two to the next: the width of one is at most this part of what it holds. */
const BUCKETS_PER_OCTAVE = 32;
const HALF = EXACT / 2;
/** Behind the bucket of the greatest number there is. */
const BUCKETS = EXACT + 1024 * BUCKETS_PER_OCTAVE;

/** A histogram as it is stored and handed over. */
export interface HistogramData {
  /** The greatest value, exactly. 0 without values. */
  readonly max: number;
  /** Bucket, count, bucket, count, and so on, by bucket; those without values are left out. */
  readonly counts: readonly number[];
}

/**
 * Counts durations, in milliseconds. Below 64 ms each millisecond has a bucket of its own; from there on, each power of
 * two is divided into 32. Any share of the values is answered as the upper end of the bucket it falls into: never less
 * than the truth, and more by less than a 32nd of it (3.2 %). Histograms add up without losing anything.
 *
 * Source: log-linear buckets as in HdrHistogram by Gil Tene (http://hdrhistogram.org), with 5 bits of precision.
 *
 * @example
 * const histogram = new Histogram();
 * for (const took of [3, 5, 900]) histogram.record(took);
 * histogram.atShare(0.5); // 5
 */
export class Histogram {
  #max = 0;
  #counts = new Float64Array(EXACT);

  get max(): number {
    return this.#max;
  }

  /** One more of this duration; what is negative counts as 0, as between clocks that differ. */
  record(given: number): void {
    // An endless one is as long as one can be.
    const duration = Math.min(given, Number.MAX_VALUE);
    const bucket = bucketOf(duration);
    if (bucket >= this.#counts.length) this.#grow(bucket);
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    if (duration > this.#max) this.#max = duration;
  }

  /** All values of another one. What no histogram has said, as where somebody wrote into a store, is left out. */
  add({ max, counts }: HistogramData): void {
    if (max > this.#max && max < Infinity) this.#max = max;
    for (let at = 0; at + 1 < counts.length; at += 2) {
      const [bucket, count] = [counts[at] ?? 0, counts[at + 1] ?? 0];
      if (!(bucket >= 0 && bucket < BUCKETS && count > 0 && count < Infinity)) continue;
      if (bucket >= this.#counts.length) this.#grow(bucket);
      this.#counts[bucket] = (this.#counts[bucket] ?? 0) + count;
    }
  }

  /** The least value than which this share of the values is no greater, as exact as the buckets are; 0 without values. */
  atShare(share: number): number {
    const counts = this.#counts;
    let total = 0;
    for (let bucket = 0; bucket < counts.length; bucket += 1) total += counts[bucket] ?? 0;
    const rank = Math.max(1, Math.ceil(share * total));
    let reached = 0;
    for (let bucket = 0; bucket < counts.length; bucket += 1) {
      reached += counts[bucket] ?? 0;
      if (reached >= rank) return Math.min(upperEndOf(bucket), this.#max);
    }
    return 0;
  }

  data(): HistogramData {
    const counts: number[] = [];
    for (let bucket = 0; bucket < this.#counts.length; bucket += 1) {
      const count = this.#counts[bucket] ?? 0;
      if (count > 0) counts.push(bucket, count);
    }
    return { max: this.#max, counts };
  }

  #grow(bucket: number): void {
    const counts = new Float64Array(bucket + BUCKETS_PER_OCTAVE);
    counts.set(this.#counts);
    this.#counts = counts;
  }
}

function bucketOf(duration: number): number {
  if (!(duration > 0)) return 0;
  let value = Math.ceil(duration);
  if (value < EXACT) return value;
  let octave = 0;
  // Bits beyond the 31st: more than 24 days.
  for (; value >= 2 ** 31; octave += 1) value = Math.floor(value / 2);
  const shift = 26 - Math.clz32(value);
  octave += shift;
  return EXACT + (octave - 1) * BUCKETS_PER_OCTAVE + (value >> shift) - HALF;
}

function upperEndOf(bucket: number): number {
  if (bucket < EXACT) return bucket;
  const above = bucket - EXACT;
  const octave = Math.floor(above / BUCKETS_PER_OCTAVE) + 1;
  return ((above % BUCKETS_PER_OCTAVE) + HALF + 1) * 2 ** octave - 1;
}
