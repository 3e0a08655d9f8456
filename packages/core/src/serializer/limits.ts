import type { Serializer } from "./serializer.js";

/** What one value may take up. */
export interface Limits {
  /** In bytes. */
  readonly maxSize: number;
  /** In arrays, objects, maps, sets and errors inside each other. */
  readonly maxDepth: number;
}

/** One mebibyte, in bytes: what a value may take up when nobody says otherwise. */
export const defaultMaxSize = 1_048_576;

const knownSizes = new WeakMap<Serializer, number>();

/** Lets serializers around this one know how many bytes it takes at most. */
export function rememberMaxSize(serializer: Serializer, maxSize: number): Serializer {
  knownSizes.set(serializer, maxSize);
  return serializer;
}

/** How many bytes the serializer takes at most; of one that is not ours, the default. */
export function maxSizeOf(serializer: Serializer): number {
  return knownSizes.get(serializer) ?? defaultMaxSize;
}
