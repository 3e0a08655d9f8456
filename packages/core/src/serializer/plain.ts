import type { Limits } from "./limits.js";

// One counter for the module instead of an object per walk: the walk is synchronous, so that no two
// of them overlap unless a getter encodes; then the larger walk may be told to look closer.
let remaining = 0;

/**
 * Whether JSON keeps all of the value, within the limits.
 *
 * It is on the way of every message, so it allocates nothing but what V8 needs to look for symbols,
 * and says no whenever it is not sure; `inspect` then takes the time to find out why.
 */
export function isPlain(value: unknown, { maxSize, maxDepth }: Limits): boolean {
  remaining = maxSize;
  return walk(value, maxDepth);
}

function walk(value: unknown, levels: number): boolean {
  // Every value takes a byte of JSON at least. Counting them also ends the walk over an object that
  // holds the same array twice, which holds the same array twice, and so on.
  if (--remaining < 0) return false;
  if (typeof value === "string") {
    remaining -= value.length;
    return remaining >= 0;
  }
  if (typeof value === "number") {
    // Only finite numbers give 0, and only -0 divides to -Infinity.
    return value - value === 0 && (value !== 0 || 1 / value > 0);
  }
  if (typeof value === "boolean" || value === null) return true;
  return typeof value === "object" && levels > 0 && walkObject(value, levels - 1);
}

function walkObject(object: object, levels: number): boolean {
  if ((object as { readonly toJSON?: unknown }).toJSON !== undefined) return false;
  const prototype: unknown = Object.getPrototypeOf(object);
  if (prototype === Object.prototype || prototype === null) {
    return walkProperties(object as Record<string, unknown>, levels);
  }
  return prototype === Array.prototype && Array.isArray(object) && walkElements(object, levels);
}

function walkProperties(object: Record<string, unknown>, levels: number): boolean {
  if (Object.getOwnPropertySymbols(object).length > 0) return false;
  // Inherited keys can only come from a polluted Object.prototype; `inspect` tells them apart.
  for (const key in object) {
    if (key === "__proto__") return false;
    remaining -= key.length;
    if (!walk(object[key], levels)) return false;
  }
  return true;
}

function walkElements(array: readonly unknown[], levels: number): boolean {
  // By index, not by iterator: quicker, and a hole reads as undefined, which is not plain.
  for (let index = 0; index < array.length; index++) {
    if (!walk(array[index], levels)) return false;
  }
  return true;
}

/** Whether an object within a value that JSON.parse made has the key `__proto__`. */
export function holdsPrototype(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (Array.isArray(value)) return value.some(holdsPrototype);
  const object = value as Record<string, unknown>;
  for (const key in object) if (key === "__proto__" || holdsPrototype(object[key])) return true;
  return false;
}
