/** Which storages are in use, and by how many queues: the last one to close closes the storage. */
import type { StorageContract } from "../storage.js";

const users = new WeakMap<StorageContract, number>();

export function acquireStorage(storage: StorageContract): void {
  users.set(storage, (users.get(storage) ?? 0) + 1);
}

export async function releaseStorage(storage: StorageContract): Promise<void> {
  const left = (users.get(storage) ?? 1) - 1;
  users.set(storage, left);
  if (left === 0) await storage.close();
}
