import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ask } from "./servers/ask.js";
import { serverBinary } from "./servers/binary.js";
import { freePort } from "./servers/ports.js";
import { KEEPER, startRedisServer } from "./servers/redis-server.js";
import { afterTest } from "./support/closing.js";

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

  test("a server does not outlive the process that started it, however that ends", async () => {
    const program = `
      const [keeper, ...command] = process.argv.slice(1);
      const options = { stdio: ["pipe", "ignore", "ignore"] };
      require("node:child_process").spawn("/bin/sh", ["-c", keeper, "keeper", ...command], options);
      setTimeout(() => {}, 60_000);`;
    const folder = mkdtempSync(join(tmpdir(), "taskq-keeper-"));
    afterTest(() => rmSync(folder, { recursive: true, force: true }));
    const port = await freePort();
    const binary = serverBinary();
    const command = [binary?.path ?? "", "--port", String(port), "--save", ""];
    const starter = spawn(process.execPath, ["-e", program, KEEPER, ...command], {
      env: binary?.environment,
      cwd: folder,
      stdio: "ignore",
    });
    await expect.poll(() => ask(port, [["PING"]]).catch(String), { timeout: 5_000 }).toBe("PONG");
    starter.kill("SIGKILL");
    await expect
      .poll(() => ask(port, [["PING"]]).catch(String), { timeout: 5_000 })
      .toContain("ECONNREFUSED");
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
