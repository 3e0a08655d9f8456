import { defineConfig, mergeConfig, type ViteUserConfig } from "vitest/config";
import shared from "../../vitest.shared.ts";
// Says that the tests on Redis cannot run here, and fails where that must not be.
const own = defineConfig({
  test: { name: "signed-serializer", globalSetup: ["test/support/redis-required.ts"] },
});
const config: ViteUserConfig = mergeConfig(shared, own);
export default config;
