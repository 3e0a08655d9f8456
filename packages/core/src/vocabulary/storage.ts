import type { storage } from "./brands.js";

/**
 * Where a queue keeps its bytes. Made by a storage package (`memoryStorage()`, `sqliteStorage(…)`),
 * given to `createQueue`, and closed with the last queue that uses it.
 *
 * Users hold it and hand it on; what it can do is the contract of `@taskq/core/storage`, for the
 * authors of storages.
 */
export interface Storage extends AsyncDisposable {
  readonly [storage]: "storage"; // in the type only
}
