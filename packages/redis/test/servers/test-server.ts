/** One server for tests that only use it: the guest's of `TASKQ_REDIS_URL`, or one of our own. */
import { randomBytes } from "node:crypto";
import { Redis } from "ioredis";
import { guestUrl, serverBinary } from "./binary.js";
import { startRedisServer } from "./redis-server.js";

export interface TestServer {
  readonly url: string;
  /** Of this test alone. On a guest's server nothing else is read or written. */
  readonly keyPrefix: string;
  stop(): Promise<void>;
}

/** Whether there is one; `describe.skipIf(!hasTestServer)`. */
export const hasTestServer: boolean = guestUrl !== undefined || serverBinary() !== undefined;

/** A server with a prefix that nobody uses; `stop` removes its keys from a guest's, and ends our own. */
export async function startTestServer(serverArguments: readonly string[] = []): Promise<TestServer> {
  const keyPrefix = `taskq-test-${randomBytes(6).toString("hex")}`;
  if (guestUrl !== undefined) {
    return { url: guestUrl, keyPrefix, stop: () => removeKeys(guestUrl ?? "", keyPrefix) };
  }
  const server = await startRedisServer({ arguments: serverArguments });
  return { url: server.url, keyPrefix, stop: () => server.stop() };
}

async function removeKeys(url: string, keyPrefix: string): Promise<void> {
  const client = new Redis(url);
  try {
    for await (const keys of client.scanStream({ match: `${keyPrefix}:*`, count: 500 }) as AsyncIterable<
      string[]
    >) {
      for (const key of keys) await client.del(key);
    }
  } finally {
    client.disconnect();
  }
}
