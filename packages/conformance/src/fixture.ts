/** What an author of a storage hands to the kit. */
import type { Storage } from "@taskq/core";
import type { StorageContract } from "@taskq/core/storage";

/** A fresh, empty store, and the storage that is tested on it. */
export interface Fixture {
  readonly storage: Storage | StorageContract;
  /** Another connection to the same store, as another process would open it; the kit closes it. */
  readonly second?: (() => Promise<Storage | StorageContract>) | undefined;
  /** Removes the store. The storage may have been closed before. */
  close(): Promise<void>;
}

/** What a storage can do; users see only that it is one. */
export function contractOf(storage: Storage | StorageContract): StorageContract {
  return storage as unknown as StorageContract;
}
