import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { modelSuite, type Fixture } from "@taskq/conformance";
import type { Storage } from "@taskq/core";
import { memoryStorage } from "@taskq/memory";
import { sqliteStorage } from "@taskq/sqlite";
import { describe, test } from "vitest";

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
