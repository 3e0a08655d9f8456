import type { Engine } from "./engine-types.js";

/** Under which name the storage keeps a lock, a limit or a unique key: a serializer that encrypts hides it. */
export function storedName({ serializer, name }: Engine, given: string): string {
  const hide = serializer.seal?.hideName;
  return hide === undefined ? given : hide(given, name);
}
