import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { modelSuite, type Fixture } from "@taskq/conformance";
import type { Storage } from "@taskq/core";
import type { StorageContract } from "@taskq/core/storage";
import { memoryStorage } from "@taskq/memory";
import { sqliteStorage } from "@taskq/sqlite";
import { describe, test } from "vitest";

type Changing = "step" | "reap" | "amend" | "tick" | "enqueue";
const CHANGING: ReadonlySet<string> = new Set<Changing>(["step", "reap", "amend", "tick", "enqueue"]);

/** When a storage purges by itself is left to it: here each does so after every call that may end a job. */
function purging(storage: Storage): StorageContract {
  const contract = storage as unknown as StorageContract;
  return new Proxy(contract, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property);
      if (typeof value !== "function") return value;
      if (!CHANGING.has(String(property))) return (value as () => unknown).bind(target);
      return async (request: { queue: string; now: number }) => {
        const answer: unknown = await (value as (request: unknown) => unknown).call(target, request);
        for (let more = true; more;) {
          ({ more } = await target.purge({ queue: request.queue, limit: 50, now: request.now }));
        }
        return answer;
      };
    },
  });
}

function fixtureOf(storage: Storage, remove: () => void): Fixture {
  return {
    storage: purging(storage),
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
