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
const DIGITS: readonly string[] = Array.from({ length: 32 }, (_, value) => value.toString(32));
/** Until 2109. Later times, and those before 1970, begin anew: ids of a clock that shows one differ, but do not tell it. */
const TIME_SPAN = 2 ** 42;
const SEQUENCE_BITS = 9;
const SEQUENCE_SIZE = 1 << SEQUENCE_BITS;
/** A clock that steps back by less goes unnoticed; one that steps back by more starts a new series. */
const TOLERATED_STEP = 10_000;

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

function fiveDigits(value: number): string {
  return (DIGITS[value >>> 20] ?? "") + fourDigits(value & 0xf_ffff);
}

/** The id with these parts. */
export function joinId({ time, low, random }: IdParts): string {
  return prefixOf(time) + suffixOf(low, Math.floor(random / 2 ** 20), random % 2 ** 20);
}

function prefixOf(instant: number): string {
  const rest = instant % TIME_SPAN;
  const time = rest < 0 ? rest + TIME_SPAN : rest;
  return fourDigits(Math.floor(time / 2 ** 25)) + fiveDigits(time % 2 ** 25);
}

function suffixOf(low: number, high20: number, low20: number): string {
  return fiveDigits(low) + fourDigits(high20) + fourDigits(low20);
}

/** The parts of an id, or `undefined` for one that core did not make. */
export function splitId(id: string): IdParts | undefined {
  if (id.length !== 22) return undefined;
  const [early, late, low] = [read(id, 0, 4), read(id, 4, 9), read(id, 9, 14)];
  const [high20, low20] = [read(id, 14, 18), read(id, 18, 22)];
  // What is no digit makes all of it less than nothing.
  if ((early | late | low | high20 | low20) < 0 || early >= 2 ** 17 || low >= 2 ** 21) return undefined;
  return { time: early * 2 ** 25 + late, low, random: high20 * 2 ** 20 + low20 };
}

/** The value of each character as a digit, -1 of others. */
const VALUES: Int8Array = Int8Array.from({ length: 128 }, (_, code) =>
  DIGITS.indexOf(String.fromCharCode(code)),
);

/** The value of up to six digits; negative if one of them is none. */
function read(id: string, from: number, to: number): number {
  let value = 0;
  for (let index = from; index < to; index += 1) {
    const code = id.charCodeAt(index);
    value = (value << 5) | (code < 128 ? (VALUES[code] ?? -1) : -1);
  }
  return value;
}

/** A maker of ids that never makes one twice, and whose ids sort as they were made while its clock does not step back far. */
export function createIdMaker(): IdMaker {
  let last = -Infinity;
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
