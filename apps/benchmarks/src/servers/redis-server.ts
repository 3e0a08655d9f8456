import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Redis } from "ioredis";
import { pause } from "../clock.js";
import { deferred } from "../deferred.js";
import { on, placement } from "./placement.js";

interface Binary {
  readonly path: string;
  /** Folders of its libraries, of a private copy. */
  readonly libraries?: readonly string[];
}

/** A server of our own, a child of this process, on a free port of the loopback; it persists nothing. */
export interface RedisServer extends AsyncDisposable {
  readonly url: string;
  /** Bytes of all that it holds. */
  memory(): Promise<number>;
  /** Commands that clients send within so many milliseconds; those of scripts are not counted. */
  sentWithin(milliseconds: number): Promise<number>;
}

const STARTED_WITHIN = 20_000;

/** Starts one in a folder, on the CPU of servers, and waits until it answers. */
export async function startRedisServer(folder: string): Promise<RedisServer> {
  const binary = binaryOrThrow();
  const port = await freePort();
  const own = ["--port", String(port), "--bind", "127.0.0.1", "--dir", folder];
  const volatile = ["--save", "", "--appendonly", "no", "--daemonize", "no"];
  const [command = "", ...args] = on(placement.server, [binary.path, ...own, ...volatile]);
  // `taskset` becomes the server, so the child is the server itself.
  const child = spawn(command, args, { env: environmentOf(binary), stdio: "ignore" });
  const endWithUs = (): unknown => child.kill("SIGKILL");
  process.once("exit", endWithUs);
  const url = `redis://127.0.0.1:${port}`;
  const client = new Redis(url, { retryStrategy: () => 20, maxRetriesPerRequest: null });
  client.on("error", () => {});
  await answers(client, child);
  return {
    url,
    async memory() {
      return Number(/^used_memory:(\d+)/m.exec(await client.info("memory"))?.[1]);
    },
    async sentWithin(milliseconds) {
      const monitor = await client.monitor();
      let count = 0;
      monitor.on("monitor", (_time: string, _words: string[], source: string) => {
        if (source !== "lua") count += 1;
      });
      await pause(milliseconds);
      monitor.disconnect();
      return count;
    },
    async [Symbol.asyncDispose]() {
      client.disconnect();
      process.off("exit", endWithUs);
      const gone = deferred<void>();
      child.once("exit", () => gone.resolve());
      child.kill("SIGKILL");
      await gone.promise;
    },
  };
}

/** Resolves once the process that answers is the child. */
async function answers(client: Redis, child: ChildProcess): Promise<void> {
  const ended = deferred<never>();
  child.once("error", (error) => ended.reject(error));
  child.once("exit", (code) => ended.reject(new Error(`the Redis server ended at once with code ${code}`)));
  const giveUp = setTimeout(() => ended.reject(new Error("the Redis server did not answer")), STARTED_WITHIN);
  const info = await Promise.race([client.info("server"), ended.promise]);
  clearTimeout(giveUp);
  ended.promise.catch(() => {});
  if (Number(/^process_id:(\d+)/m.exec(info)?.[1]) !== child.pid) {
    throw new Error("another server has taken the port");
  }
}

/** What is started, and its version, as `redis-server --version` tells it. */
export function redisVersion(): string {
  const binary = binaryOrThrow();
  const line = execFileSync(binary.path, ["--version"], { env: environmentOf(binary), encoding: "utf8" });
  return `${/valkey/i.test(line) ? "Valkey" : "Redis"} ${/v=(\S+)/.exec(line)?.[1] ?? "unknown"}`;
}

/** Whether one can be started here. */
export function canStartRedis(): boolean {
  return findBinary() !== undefined;
}

function binaryOrThrow(): Binary {
  const binary = findBinary();
  if (binary !== undefined) return binary;
  throw new Error("no redis-server or valkey-server here: apt-get install redis-server");
}

/** In the order of `.ci/redis-server.mjs`, which fetches the private copy. */
function findBinary(): Binary | undefined {
  const given = process.env["TASKQ_REDIS_SERVER"];
  if (given !== undefined) return { path: given };
  for (const name of ["redis-server", "valkey-server"]) {
    for (const folder of (process.env["PATH"] ?? "").split(delimiter)) {
      if (existsSync(join(folder, name))) return { path: join(folder, name) };
    }
  }
  const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "..", "..");
  const privateCopy = join(root, ".cache", "tools", "redis", "copy.json");
  if (!existsSync(privateCopy)) return undefined;
  const { binary, libraries } = JSON.parse(readFileSync(privateCopy, "utf8")) as {
    readonly binary: string;
    readonly libraries: readonly string[];
  };
  return { path: binary, libraries };
}

function environmentOf({ libraries }: Binary): NodeJS.ProcessEnv {
  return libraries === undefined
    ? process.env
    : { ...process.env, LD_LIBRARY_PATH: libraries.join(delimiter) };
}

/** Another may take it before the server does; then the server ends at once, and says so. */
function freePort(): Promise<number> {
  const port = deferred<number>();
  const server = createServer();
  server.once("error", (error) => port.reject(error));
  server.listen(0, "127.0.0.1", () => {
    const address = server.address() as AddressInfo;
    server.close(() => port.resolve(address.port));
  });
  return port.promise;
}
