import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { raceSuite } from "@taskq/conformance";
import { describe, test } from "vitest";

raceSuite({
  runner: { describe, test },
  name: "sqlite",
  open: new URL("./open-race.js", import.meta.url).href,
  prepare: async () => {
    const folder = await mkdtemp(join(tmpdir(), "taskq-race-"));
    return {
      environment: { TASKQ_RACE_FILE: join(folder, "jobs.db") },
      remove: async () => rm(folder, { recursive: true, force: true }),
    };
  },
});
