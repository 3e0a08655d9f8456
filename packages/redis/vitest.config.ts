import { defineConfig, mergeConfig, type ViteUserConfig } from "vitest/config";
import shared from "../../vitest.shared.ts";
// Most files wait for servers and time limits, and each has servers of its own: three at once leave little of two CPUs idle.
const own = defineConfig({
  test: { name: "redis", globalSetup: ["test/servers/required.ts"], maxWorkers: 3 },
});
const config: ViteUserConfig = mergeConfig(shared, own);
export default config;
