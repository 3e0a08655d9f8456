/** Storages on one server of the tests, each store with a prefix of its own. */
import { Caller } from "../../src/connection/caller.js";
import { optionsOfUrl } from "../../src/connection/url.js";
import { RedisStorage } from "../../src/redis-storage.js";
import type { RedisServer } from "../servers/redis-server.js";

let stores = 0;

/** A prefix that no other store has. */
export function newPrefix(): string {
  stores += 1;
  return `test${stores}`;
}

export function connect({ url }: RedisServer, prefix: string): RedisStorage {
  const source = { kind: "options", options: optionsOfUrl(url) } as const;
  const caller = new Caller({ source, timeout: 5_000 });
  return new RedisStorage({ caller, prefix, copies: 0, description: "redis", listen: () => () => {} });
}
