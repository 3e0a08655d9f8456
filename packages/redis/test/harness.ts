/** `@taskq/redis-servers`: what the harnesses in `apps/` use of these tests. Private; the tests import the files themselves. */
export { serverBinary } from "./servers/binary.js";
export { startRedisServer, type RedisServer, type ServerOptions } from "./servers/redis-server.js";
export { hasTestServer, startTestServer, type TestServer } from "./servers/test-server.js";
export { default as requireServer } from "./servers/required.js";
export { findingsOf } from "./support/findings.js";
export { outages, type Outage } from "./support/outages.js";
export { scan } from "./support/scan.js";
