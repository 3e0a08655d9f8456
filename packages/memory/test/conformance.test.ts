import { storageSuite } from "@taskq/conformance";
import { describe, test } from "vitest";
import { memoryStorage } from "../src/index.ts";

storageSuite({
  runner: { describe, test },
  name: "memory",
  create: async () => {
    const storage = memoryStorage();
    return { storage, close: async () => storage[Symbol.asyncDispose]() };
  },
});
