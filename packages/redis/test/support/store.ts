/** Storages on one server of the tests, each store with a prefix of its own. */
import type { StorageContract } from "@taskq/core/storage";
import { redisStorage } from "../../src/index.js";
import { settingsOf } from "../../src/options.js";
import { RedisStorage } from "../../src/redis-storage.js";

let stores = 0;

/** A prefix that no other store has. */
export function newPrefix(): string {
  stores += 1;
  return `test-${process.pid}-${stores}`;
}

export function connect({ url }: { readonly url: string }, keyPrefix: string): StorageContract {
  return redisStorage({ url, keyPrefix }) as unknown as StorageContract;
}

/** One that leaves all but one row that ends because of others to later scripts. */
export function connectLate({ url }: { readonly url: string }, keyPrefix: string): StorageContract {
  return new RedisStorage(settingsOf({ url, keyPrefix }), 1);
}
