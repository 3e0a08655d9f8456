import { defineConfig, mergeConfig, type ViteUserConfig } from "vitest/config";
import shared from "../../vitest.shared.ts";
const config: ViteUserConfig = mergeConfig(
  shared,
  defineConfig({ test: { name: "examples", globalSetup: ["test/redis-required.ts"] } }),
);
export default config;
