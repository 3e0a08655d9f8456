import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { modelSuite, type Fixture } from "@taskq/conformance";
import type { Storage } from "@taskq/core";
import type { StepRequest, StorageContract } from "@taskq/core/storage";
import { memoryStorage } from "@taskq/memory";
import { sqliteStorage } from "@taskq/sqlite";
import { describe, test } from "vitest";

type Changing = "step" | "reap" | "amend" | "tick" | "enqueue";
const CHANGING: ReadonlySet<string> = new Set<Changing>(["step", "reap", "amend", "tick", "enqueue"]);

const UNBEGUN: ReadonlySet<string> = new Set(["released", "postponed"]);

/** Tells of every run that it has begun before it is told how it ended. */
async function begin(storage: StorageContract, request: StepRequest): Promise<void> {
  const begun = request.settled.filter(({ outcome }) => !UNBEGUN.has(outcome.kind));
  if (begun.length > 0) await storage.step({ ...request, settled: [], begun, claim: undefined });
}

/**
 * What is left to a storage is made the same for both: each purges after every call that may end a job, and is told of
 * every run that it has begun.
 */
function alike(storage: Storage): StorageContract {
  const contract = storage as unknown as StorageContract;
  return new Proxy(contract, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property);
      if (typeof value !== "function") return value;
      if (!CHANGING.has(String(property))) return (value as () => unknown).bind(target);
      return async (request: { queue: string; now: number }) => {
        if (property === "step") await begin(target, request as unknown as StepRequest);
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
    storage: alike(storage),
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
