import { execFileSync } from "node:child_process";
import { serverBinary, startRedisServer as startServer } from "@taskq/redis-servers";
import { Redis } from "ioredis";
import { pause } from "../clock.js";
import { move, placement } from "./placement.js";

/** A server of our own, a child of this process, on a free port of the loopback; it persists nothing. */
export interface RedisServer extends AsyncDisposable {
  readonly url: string;
  /** Bytes of all that it holds. */
  memory(): Promise<number>;
  /** Microseconds of CPU that it has used so far. */
  cpu(): Promise<number>;
  /** Commands that clients send within so many milliseconds; those of scripts are not counted. */
  sentWithin(milliseconds: number): Promise<number>;
}

/** Starts one on the CPU of servers, and waits until it answers. */
export async function startRedisServer(): Promise<RedisServer> {
  const server = await startServer();
  move(server.pid, placement.server);
  const client = new Redis(server.url);
  return {
    url: server.url,
    async memory() {
      return Number(/^used_memory:(\d+)/m.exec(await client.info("memory"))?.[1]);
    },
    async cpu() {
      const info = await client.info("cpu");
      const seconds = ["user", "sys"].map(
        (name) => new RegExp(`^used_cpu_${name}:([\\d.]+)`, "m").exec(info)?.[1],
      );
      return seconds.reduce((sum, each) => sum + Number(each) * 1e6, 0);
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
      await server.stop();
    },
  };
}

/** What is started, and its version, as `redis-server --version` tells it. */
export function redisVersion(): string {
  const binary = serverBinary();
  if (binary === undefined)
    throw new Error("no redis-server or valkey-server here: apt-get install redis-server");
  const { path, environment: env, kind } = binary;
  const line = execFileSync(path, ["--version"], { env, encoding: "utf8" });
  return `${kind === "valkey" ? "Valkey" : "Redis"} ${/v=(\S+)/.exec(line)?.[1] ?? "unknown"}`;
}
