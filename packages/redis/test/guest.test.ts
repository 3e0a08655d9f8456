import { Redis } from "ioredis";
import { describe, expect, test } from "vitest";
import { script } from "../src/connection/script.js";
import { Link } from "../src/link.js";
import { keyBase, wakeChannel } from "../src/names.js";
import { settingsOf } from "../src/options.js";
import { hasTestServer, startTestServer } from "./servers/test-server.js";
import { afterTest } from "./support/closing.js";

describe.skipIf(!hasTestServer)("a guest on a server", () => {
  test("keys and channels stay below the prefix", async () => {
    const server = await startTestServer(["--appendonly", "yes"]);
    afterTest(() => server.stop());
    const link = new Link(settingsOf({ url: server.url, keyPrefix: server.keyPrefix }));
    afterTest(() => link.close());
    await link.open("main");
    const channel = wakeChannel(server.keyPrefix, "main");
    const heard: (string | undefined)[] = [];
    link.listen(channel, (message) => heard.push(message?.toString()));
    await expect.poll(() => heard).toEqual([undefined]);
    const put = script("put", "redis.call('SET', KEYS[1], '1') return redis.call(ARGV[1], KEYS[2], 'put')");
    const key = `${keyBase(server.keyPrefix, "main")}key`;
    await link.caller.run(put, [key, channel], [link.wakeCommand ?? ""]);
    await expect.poll(() => heard).toEqual([undefined, "put"]);
    const client = new Redis(server.url);
    afterTest(() => client.disconnect());
    expect(await client.get(key)).toBe("1");
  });
});
