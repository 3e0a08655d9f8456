/**
 * The input of a stage, from the output of the stage before and what was given to `pipe` beside it.
 *
 * Without an extra it is the output itself. With one it is `{ ...output, ...extra }` if the output
 * is an object, else, for arrays, dates, maps, sets, bytes and errors too, `{ input: output, ...extra }`.
 * A key `__proto__` is dropped. Neither argument is changed.
 */
export function mergeInput(output: unknown, extra: unknown, hasExtra: boolean): unknown {
  if (!hasExtra) return output;
  const merged: Record<string, unknown> = isMerged(output)
    ? { ...output, ...(extra as object) }
    : { input: output, ...(extra as object) };
  // Spreading made it an own key, which pollutes nothing yet: the next careless copy of it would.
  if (Object.hasOwn(merged, "__proto__")) Reflect.deleteProperty(merged, "__proto__");
  return merged;
}

/** Whether it is merged with fields: an object, but none of `Whole` in `vocabulary/piping.ts`. */
export function isMerged(value: unknown): value is object {
  return (
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    !ArrayBuffer.isView(value) &&
    !wholes.some((whole) => value instanceof whole)
  );
}

const wholes: readonly (abstract new (...args: never) => unknown)[] = [
  Date,
  Map,
  Set,
  Error,
  ArrayBuffer,
  SharedArrayBuffer,
];
