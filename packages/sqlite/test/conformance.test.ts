import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { storageSuite } from "@taskq/conformance";
import type { StorageContract } from "@taskq/core/storage";
import { sqliteStorage } from "@taskq/sqlite";
import { describe, test } from "vitest";

storageSuite({
  runner: { describe, test },
  name: "sqlite",
  create: async () => {
    const folder = mkdtempSync(join(tmpdir(), "taskq-sqlite-"));
    const connect = (): StorageContract =>
      sqliteStorage({ path: join(folder, "jobs.db") }) as unknown as StorageContract;
    const storage = connect();
    return {
      storage,
      second: async () => connect(),
      close: async () => {
        await storage.close();
        rmSync(folder, { recursive: true, force: true });
      },
    };
  },
});
