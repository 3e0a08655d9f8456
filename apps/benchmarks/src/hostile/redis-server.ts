/** A Redis server to be written into: one that is named, or one of our own for as long as it is used. */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";
import { Redis } from "ioredis";
import { scratchFolder } from "../scratch-folder.js";

/** Milliseconds that a server may take to start. */
const PATIENCE = 10_000;

/** Calls `use` with a server and a key prefix that nobody uses; the keys are removed, and a server of our own ended. */
export async function withRedis(
  url: string | undefined,
  use: (url: string, keyPrefix: string) => Promise<void>,
): Promise<void> {
  const keyPrefix = `hostile-${randomBytes(6).toString("hex")}`;
  const named = url ?? process.env["TASKQ_REDIS_URL"];
  if (named === undefined) return withOwn((own) => use(own, keyPrefix));
  const redis = new Redis(named);
  try {
    await use(named, keyPrefix);
  } finally {
    for await (const keys of redis.scanStream({ match: `${keyPrefix}:*`, count: 500 })) {
      for (const key of keys as readonly string[]) await redis.del(key);
    }
    redis.disconnect();
  }
}

async function withOwn(use: (url: string) => Promise<void>): Promise<void> {
  using folder = scratchFolder();
  const port = await freePort();
  const words = ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder.path];
  const durable = ["--appendonly", "yes", "--appendfsync", "everysec"];
  const program = process.env["TASKQ_REDIS_SERVER"] ?? "redis-server";
  const server = spawn(program, [...words, ...durable], { stdio: "ignore" });
  const failed = once(server, "error").then(([error]) => {
    throw new Error("no redis-server on the PATH: name a server with --redis redis://host:port", {
      cause: error,
    });
  });
  const ended = once(server, "exit");
  try {
    const url = `redis://127.0.0.1:${port}`;
    await Promise.race([answers(url), failed]);
    await use(url);
  } finally {
    failed.catch(() => {});
    if (server.kill("SIGKILL")) await ended;
  }
}

async function answers(url: string): Promise<void> {
  const redis = new Redis(url, { retryStrategy: () => 50, maxRetriesPerRequest: null });
  redis.on("error", () => {});
  const late = setTimeout(() => redis.disconnect(), PATIENCE);
  try {
    await redis.ping();
  } finally {
    clearTimeout(late);
    redis.disconnect();
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no port is free");
  return address.port;
}
