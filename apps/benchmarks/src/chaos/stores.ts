import { join } from "node:path";
import type { Storage } from "@taskq/core";
import { checkIntegrity } from "../integrity.js";

/** Where the queue of a run is, as each process of it is told. */
export type Store =
  | { readonly kind: "sqlite"; readonly path: string }
  | { readonly kind: "redis"; readonly url: string };

/** A store of one run, gone after it. */
export interface OwnStore extends AsyncDisposable {
  readonly store: Store;
  /** What judges it once nobody uses the queue any more; it answers `ok`, or what is wrong. */
  readonly check: { readonly name: string; readonly ask: () => Promise<string> };
}

const QUEUE = "default";
const KEY_PREFIX = "taskq";

/** What a store can be. Each loads only what it needs: consumers start all the time. */
const stores: { readonly [Kind in Store["kind"]]: (folder: string) => Promise<OwnStore> } = {
  async sqlite(folder) {
    const path = join(folder, "queue.db");
    return {
      store: { kind: "sqlite", path },
      check: { name: "integrity_check", ask: async () => checkIntegrity(path) },
      [Symbol.asyncDispose]: async () => {},
    };
  },

  /** A server of its own, which loses nothing when it is killed: nobody kills it here. */
  async redis() {
    const { scan, startRedisServer } = await import("@taskq/redis-servers");
    const server = await startRedisServer({
      arguments: ["--appendonly", "yes", "--appendfsync", "everysec"],
    });
    const ask = (): Promise<string> =>
      scan(server.url, KEY_PREFIX, QUEUE).then(
        () => "ok",
        (error: unknown) => String(error),
      );
    return {
      store: { kind: "redis", url: server.url },
      check: { name: "contradictions between keys", ask },
      [Symbol.asyncDispose]: () => server.stop(),
    };
  },
};

/** Makes one. @throws if `kind` names none */
export function makeStore(kind: string, folder: string): Promise<OwnStore> {
  const make = Object.hasOwn(stores, kind) ? stores[kind as Store["kind"]] : undefined;
  if (make === undefined) {
    throw new Error(`--storage: expected ${Object.keys(stores).join(" or ")}, got "${kind}"`);
  }
  return make(folder);
}

/** The storage of one process. */
export async function openStorage(store: Store): Promise<Storage> {
  if (store.kind === "sqlite") {
    const { sqliteStorage } = await import("@taskq/sqlite");
    return sqliteStorage({ path: store.path });
  }
  const { redisStorage } = await import("@taskq/redis");
  return redisStorage({ url: store.url, keyPrefix: KEY_PREFIX });
}
