import { defineConfig, mergeConfig, type ViteUserConfig } from "vitest/config";
import shared from "../../vitest.shared.ts";
// Two files at a time: most of them have several processes of their own.
const own = defineConfig({
  test: { name: "benchmarks", maxWorkers: 2, globalSetup: ["test/redis-required.ts"] },
});
const config: ViteUserConfig = mergeConfig(shared, own);
export default config;
