import { storageSuite } from "@taskq/conformance";
import { afterAll, beforeAll, describe, test } from "vitest";
import { hasTestServer, startTestServer, type TestServer } from "./servers/test-server.js";
import { connect } from "./support/store.js";

// on a guest's server too
describe.skipIf(!hasTestServer)("conformance", () => {
  let server: TestServer;
  let made = 0;

  beforeAll(async () => {
    server = await startTestServer(["--appendonly", "yes"]);
  });
  afterAll(() => server.stop());

  storageSuite({
    runner: { describe, test },
    name: "redis",
    create: async () => {
      made += 1;
      const prefix = `${server.keyPrefix}:${made}`;
      const storage = connect(server, prefix);
      return { storage, second: async () => connect(server, prefix), close: () => storage.close() };
    },
  });
});
