import { fileURLToPath } from "node:url";
import { defineConfig, type ViteUserConfig } from "vitest/config";

const folder = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const tests = folder("../sqlite/test/");
const signedCore = folder("test/programs/signed-core.ts");

/** What a queue does on memory and SQLite, by the tests of `@taskq/sqlite`, with signed or (`TASKQ_SERIALIZER=encrypted`) encrypted messages. */
const config: ViteUserConfig = defineConfig({
  plugins: [
    {
      name: "signed-core",
      enforce: "pre",
      resolveId: (source, importer) =>
        source === "@taskq/core" && importer?.startsWith(tests) === true ? signedCore : undefined,
    },
  ],
  resolve: { alias: { "@taskq/signed-serializer": folder("dist/index.js") } },
  test: {
    name: "behaviour",
    root: folder("../sqlite"),
    include: ["test/queue/*.test.ts"],
    testTimeout: 10_000,
  },
});
export default config;
