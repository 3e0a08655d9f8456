import { splitId } from "@taskq/core/storage";

const RANDOM_FROM = 14;

/** What is not random in an id that core made; `undefined` for any other. */
export function keyOf(id: string): string | undefined {
  return splitId(id) === undefined ? undefined : id.slice(0, RANDOM_FROM);
}
