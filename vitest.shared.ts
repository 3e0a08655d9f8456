import { availableParallelism } from "node:os";
import { defineConfig, type ViteUserConfig } from "vitest/config";

/** What every package's tests share; `.ci/test.mjs` adds up the reports. */
const config: ViteUserConfig = defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // Nearly all take less than one; a machine with other work may stand still for several.
    testTimeout: 30_000,
    // Many files wait for processes and time limits: on two CPUs, two at once take three fifths of the time.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    restoreMocks: true,
    dangerouslyIgnoreUnhandledErrors: false,
    reporters: ["default", ["json", { outputFile: ".cache/test-report.json" }]],
  },
});
export default config;
