/**
 * Ids that core makes: 22 digits of base 32 (`0-9a-v`), which sort as they were made.
 *
 * ```text
 * 9 digits   42 bits of milliseconds since the epoch
 * 5 digits   21 bits: 12 random ones of the maker, then a counter of 9 within the millisecond
 * 8 digits   40 random bits, so that ids cannot be guessed
 * ```
 *
 * The first two parts make a 63-bit integer, which a storage may use as its key; the last is kept beside it and
 * compared at every look-up.
 */

/** The parts of an id that core made. */
export interface IdParts {
  /** Epoch milliseconds. */
  readonly time: number;
  /** 21 bits. */
  readonly low: number;
  /** 40 bits. */
  readonly random: number;
}

/** Makes ids; `now` in epoch milliseconds. */
export type IdMaker = (now: number) => string;

const PAIRS: readonly string[] = Array.from({ length: 1024 }, (_, value) =>
  value.toString(32).padStart(2, "0"),
);
const SEQUENCE_BITS = 9;
const SEQUENCE_SIZE = 1 << SEQUENCE_BITS;
/** A clock that steps back by less goes unnoticed; one that steps back by more starts a new series. */
const TOLERATED_STEP = 10_000;
const SHAPE = /^[0-9a-v]{22}$/;

/** Random 20-bit numbers, drawn from the system in bulk. */
const pool = new Uint32Array(2048);
let drawn = pool.length;

function random20(): number {
  if (drawn === pool.length) {
    crypto.getRandomValues(pool);
    drawn = 0;
  }
  return (pool[drawn++] ?? 0) & 0xf_ffff;
}

function fourDigits(value: number): string {
  return (PAIRS[value >>> 10] ?? "") + (PAIRS[value & 1023] ?? "");
}

/** The id with these parts. */
export function joinId({ time, low, random }: IdParts): string {
  return prefixOf(time) + suffixOf(low, Math.floor(random / 2 ** 20), random % 2 ** 20);
}

function prefixOf(time: number): string {
  return time.toString(32).padStart(9, "0");
}

function suffixOf(low: number, high20: number, low20: number): string {
  return (low >>> 20 ? "1" : "0") + fourDigits(low & 0xf_ffff) + fourDigits(high20) + fourDigits(low20);
}

/** The parts of an id, or `undefined` for one that core did not make. */
export function splitId(id: string): IdParts | undefined {
  if (id.length !== 22 || !SHAPE.test(id)) return undefined;
  const low = Number.parseInt(id.slice(9, 14), 32);
  const time = Number.parseInt(id.slice(0, 9), 32);
  if (low >= 2 ** 21 || time >= 2 ** 42) return undefined;
  return { time, low, random: Number.parseInt(id.slice(14), 32) };
}

/** A maker of ids that never makes one twice, and whose ids sort as they were made while its clock does not step back far. */
export function createIdMaker(): IdMaker {
  let last = -1;
  let prefix = "";
  let tag = random20() & 0xfff;
  let sequence = 0;
  return (now) => {
    if (now > last || last - now > TOLERATED_STEP) {
      if (now < last) tag = random20() & 0xfff;
      last = now;
      sequence = 0;
      prefix = prefixOf(last);
    } else if (++sequence === SEQUENCE_SIZE) {
      last += 1;
      sequence = 0;
      prefix = prefixOf(last);
    }
    return prefix + suffixOf((tag << SEQUENCE_BITS) | sequence, random20(), random20());
  };
}
