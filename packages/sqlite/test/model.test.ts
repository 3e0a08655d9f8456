import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { modelSuite, type Fixture } from "@taskq/conformance";
import type { Storage } from "@taskq/core";
import type { StorageContract } from "@taskq/core/storage";
import { memoryStorage } from "@taskq/memory";
import { sqliteStorage } from "@taskq/sqlite";
import { describe, test } from "vitest";

/** How many processes the storage of one file stands for. */
const PROCESSES = 3;

/** Each owner is in one of these processes; what others ask for comes from any. */
function processes(path: string): Fixture {
  const all = Array.from({ length: PROCESSES }, () => sqliteStorage({ path }) as unknown as StorageContract);
  let turn = 0;
  const storage = new Proxy(all[0] as StorageContract, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== "function") return value;
      return (request: { readonly owner?: string }, ...rest: readonly unknown[]): unknown => {
        const call = (one: StorageContract): unknown =>
          Reflect.apply(Reflect.get(one, name), one, [request, ...rest]);
        if (name === "open" || name === "close")
          return Promise.all(all.map(call)).then((answers) => answers[0]);
        turn += 1;
        const { owner } = request;
        return call(all[(owner === undefined ? turn : owner.charCodeAt(0)) % PROCESSES] as StorageContract);
      };
    },
  });
  return { storage, close: async () => storage.close() };
}

function fixtureOf(storage: Storage, remove: () => void): Fixture {
  return {
    storage,
    close: async () => {
      await storage[Symbol.asyncDispose]();
      remove();
    },
  };
}

modelSuite({
  runner: { describe, test },
  name: "sqlite",
  create: async () => {
    const folder = mkdtempSync(join(tmpdir(), "taskq-sqlite-"));
    return fixtureOf(sqliteStorage({ path: join(folder, "jobs.db") }), () =>
      rmSync(folder, { recursive: true, force: true }),
    );
  },
  reference: async () => fixtureOf(memoryStorage(), () => {}),
});

modelSuite({
  runner: { describe, test },
  name: "sqlite, in several processes,",
  create: async () => {
    const folder = mkdtempSync(join(tmpdir(), "taskq-sqlite-"));
    const opened = processes(join(folder, "jobs.db"));
    return {
      storage: opened.storage,
      close: async () => {
        await opened.close();
        rmSync(folder, { recursive: true, force: true });
      },
    };
  },
  reference: async () => fixtureOf(memoryStorage(), () => {}),
  runs: 100,
});
