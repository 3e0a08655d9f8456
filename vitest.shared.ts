import { defineConfig, type ViteUserConfig } from "vitest/config";

/** What every package's tests share; `.ci/test.mjs` adds up the reports. */
const config: ViteUserConfig = defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 10_000,
    restoreMocks: true,
    dangerouslyIgnoreUnhandledErrors: false,
    reporters: ["default", ["json", { outputFile: ".cache/test-report.json" }]],
  },
});
export default config;
