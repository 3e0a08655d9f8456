import { defineConfig, mergeConfig, type ViteUserConfig } from "vitest/config";
import shared from "../../vitest.shared.ts";
// Most files wait for processes and time limits: four at once leave little of two CPUs idle.
const config: ViteUserConfig = mergeConfig(
  shared,
  defineConfig({ test: { name: "consumer", maxWorkers: 4 } }),
);
export default config;
