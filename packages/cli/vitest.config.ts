import { defineConfig, mergeConfig, type ViteUserConfig } from "vitest/config";
import shared from "../../vitest.shared.ts";
// Every file waits for programs that it starts: three at once leave little of two CPUs idle.
const config: ViteUserConfig = mergeConfig(shared, defineConfig({ test: { name: "cli", maxWorkers: 3 } }));
export default config;
