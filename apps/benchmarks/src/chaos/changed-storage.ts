import type { Storage } from "@taskq/core";
import type { StorageContract } from "@taskq/core/storage";

/** A storage of which some calls are others'; all else is as it was. */
export function changedStorage(
  storage: Storage,
  change: (contract: StorageContract) => Partial<StorageContract>,
): Storage {
  // Opaque to users; this harness stands between it and core.
  const changes: Partial<StorageContract> = change(storage as unknown as StorageContract);
  return new Proxy(storage, {
    get(target, property) {
      const changed: unknown = Reflect.get(changes, property);
      if (changed !== undefined) return changed;
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
}
