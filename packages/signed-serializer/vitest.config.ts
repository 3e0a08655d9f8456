import { defineConfig, mergeConfig, type ViteUserConfig } from "vitest/config";
import shared from "../../vitest.shared.ts";
const config: ViteUserConfig = mergeConfig(shared, defineConfig({ test: { name: "signed-serializer" } }));
export default config;
