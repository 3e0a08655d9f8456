/** Storages on one server of the tests, each store with a prefix of its own. */
import type { StorageContract } from "@taskq/core/storage";
import { redisStorage } from "../../src/index.js";

let stores = 0;

/** A prefix that no other store has. */
export function newPrefix(): string {
  stores += 1;
  return `test-${process.pid}-${stores}`;
}

export function connect({ url }: { readonly url: string }, keyPrefix: string): StorageContract {
  return redisStorage({ url, keyPrefix }) as unknown as StorageContract;
}
