import { defineConfig, type ViteUserConfig } from "vitest/config";

/** All packages at once, for coverage; `npm test` runs each with its own configuration. */
const config: ViteUserConfig = defineConfig({
  test: {
    projects: ["packages/*", "apps/*/vitest.config.ts"],
    coverage: {
      provider: "v8",
      include: ["packages/*/src/**"],
      reporter: ["text-summary", "json-summary"],
    },
  },
});
export default config;
