/** Lists whose length is known. */
import assert from "node:assert/strict";

/** So many, as far as that is a small number known to the compiler. */
export type Tuple<T, N extends number, R extends readonly T[] = readonly []> = number extends N
  ? readonly T[]
  : R["length"] extends N
    ? R
    : R["length"] extends 16
      ? readonly T[]
      : Tuple<T, N, readonly [...R, T]>;

/** The list, which must have this length. */
export function exactly<T, N extends number>(list: readonly T[], length: N): Tuple<T, N> {
  assert.equal(list.length, length, `${list.length} instead of ${length}`);
  return list as Tuple<T, N>;
}

/** The element at this place, which must be there. */
export function at<T>(list: readonly T[] | undefined, index: number): T {
  const element = list?.[index];
  assert.ok(element !== undefined, `there is none at ${index}`);
  return element;
}
