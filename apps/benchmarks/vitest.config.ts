import { defineConfig, mergeConfig, type ViteUserConfig } from "vitest/config";
import shared from "../../vitest.shared.ts";
// One file at a time: most of them fill the machine with processes of their own.
const own = defineConfig({
  test: { name: "benchmarks", fileParallelism: false, globalSetup: ["test/redis-required.ts"] },
});
const config: ViteUserConfig = mergeConfig(shared, own);
export default config;
