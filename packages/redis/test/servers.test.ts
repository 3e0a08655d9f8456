import { describe, expect, test } from "vitest";
import { ask } from "./servers/ask.js";
import { serverBinary } from "./servers/binary.js";
import { startRedisServer } from "./servers/redis-server.js";

describe.skipIf(serverBinary() === undefined)("servers of the tests", () => {
  test("a server is our child, keeps its port over a kill, and is gone after stop", async () => {
    const server = await startRedisServer({ arguments: ["--appendonly", "yes", "--appendfsync", "always"] });
    const first = server.pid;
    expect(await ask(server.port, [["SET", "key", "value"]])).toBe("OK");
    await server.restart();
    expect(server.pid).not.toBe(first);
    expect(await ask(server.port, [["GET", "key"]])).toBe("value");
    await server.stop();
    await expect(ask(server.port, [["PING"]])).rejects.toThrow("ECONNREFUSED");
  });

  test("a paused server takes bytes and answers nothing until it is resumed", async () => {
    const server = await startRedisServer();
    server.pause();
    await expect(ask(server.port, [["PING"]], undefined, 200)).rejects.toThrow("does not answer");
    server.resume();
    expect(await ask(server.port, [["PING"]])).toBe("PONG");
    await server.stop();
  });
});
