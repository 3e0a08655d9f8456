/** A Redis server for one test file, found as the tests of `@taskq/redis` find it. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

interface Program {
  readonly path: string;
  readonly environment: NodeJS.ProcessEnv;
}

export interface Server {
  readonly url: string;
  stop(): Promise<void>;
}

/** Ends the server when our end of the pipe is closed: also when this process is killed, and can do nothing. */
const KEEPER = `exec 3<&0
"$@" 3<&- &
server=$!
(cat <&3 >/dev/null; kill -9 $server 2>/dev/null) &
wait $server`;
const root = resolve(fileURLToPath(new URL("../../../..", import.meta.url)));
const privateCopy = join(root, ".cache", "tools", "redis", "copy.json");

/** A running server; `undefined`, told on the console, where there is none on this machine. */
export async function startServer(): Promise<Server | undefined> {
  const guest = process.env["TASKQ_REDIS_URL"];
  if (guest !== undefined && guest !== "") return { url: guest, stop: async () => {} };
  const program = findProgram();
  if (program === undefined) {
    const line = "no redis-server or valkey-server here, so the tests that need one are not run";
    if (process.env["CI"] === "true") throw new Error(line);
    console.warn(`taskq: ${line}: apt-get install redis-server`);
    return undefined;
  }
  return startProgram(program);
}

function findProgram(): Program | undefined {
  const given = [process.env["TASKQ_REDIS_SERVER"] ?? "", "redis-server", "valkey-server"];
  for (const path of given) {
    if (path !== "" && spawnSync(path, ["--version"]).status === 0) return { path, environment: process.env };
  }
  if (!existsSync(privateCopy)) return undefined;
  const copy = JSON.parse(readFileSync(privateCopy, "utf8")) as { binary: string; libraries: string[] };
  return {
    path: copy.binary,
    environment: { ...process.env, LD_LIBRARY_PATH: copy.libraries.join(delimiter) },
  };
}

async function startProgram({ path, environment }: Program): Promise<Server> {
  const folder = mkdtempSync(join(tmpdir(), "taskq-signed-redis-"));
  const port = await freePort();
  const options = ["--port", String(port), "--bind", "127.0.0.1", "--dir", folder, "--save", ""];
  const child = spawn("/bin/sh", ["-c", KEEPER, "keeper", path, ...options], {
    env: environment,
    stdio: ["pipe", "pipe", "inherit"],
  });
  const stop = async (): Promise<void> => {
    const gone = child.exitCode === null ? once(child, "exit") : undefined;
    child.stdin.end();
    await gone;
    rmSync(folder, { recursive: true, force: true });
  };
  for await (const chunk of child.stdout) {
    if (String(chunk).includes("eady to accept connections")) {
      child.stdout.resume();
      return { url: `redis://127.0.0.1:${port}`, stop };
    }
  }
  await stop();
  throw new Error("the Redis server ended at once");
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
