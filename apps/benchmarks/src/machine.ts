import { readFileSync, statfsSync } from "node:fs";
import { createRequire } from "node:module";
import { cpus } from "node:os";
import Database from "better-sqlite3";
import { placement } from "./servers/placement.js";
import { redisVersion } from "./servers/redis-server.js";

/** One line on what the figures were measured with. */
export function machineLine(storage: "sqlite" | "redis", directory: string): string {
  const processors = cpus();
  return [
    `${processors.length} × ${processors[0]?.model ?? "unknown CPU"}`,
    `Node ${process.versions.node}`,
    ...(storage === "sqlite" ? withSqlite(directory) : withRedis()),
  ].join(" · ");
}

function withSqlite(directory: string): string[] {
  const database = new Database(":memory:");
  const sqlite = String(database.prepare("select sqlite_version()").pluck().get());
  database.close();
  return [
    `better-sqlite3 ${versionOf("better-sqlite3")}`,
    `SQLite ${sqlite}`,
    `plainjobs ${versionOf("plainjobs")}`,
    `liteque ${versionOf("liteque")}`,
    `files on ${fileSystem(directory)}`,
  ];
}

function withRedis(): string[] {
  const { server, clients } = placement;
  const peers = ["ioredis", "bullmq", "bee-queue", "groupmq"].map((name) => `${name} ${versionOf(name)}`);
  const place = server === undefined ? "on any CPU" : `server on CPU ${server}, clients on CPU ${clients}`;
  return [redisVersion(), ...peers, place, "nothing persisted"];
}

/** By the folder of the package, since not every one of them exports its package.json. */
function versionOf(name: string): string {
  const require = createRequire(import.meta.url);
  const folder = require.resolve.paths(name)?.map((each) => `${each}/${name}/package.json`) ?? [];
  for (const file of folder) {
    try {
      return String((JSON.parse(readFileSync(file, "utf8")) as { version: unknown }).version);
    } catch {
      // not in this folder
    }
  }
  return "unknown";
}

/** By the magic numbers of statfs(2). */
function fileSystem(directory: string): string {
  const known: Readonly<Record<number, string>> = {
    0xef53: "ext4",
    0x01021994: "tmpfs",
    0x58465342: "xfs",
    0x9123683e: "btrfs",
    0x794c7630: "overlayfs",
  };
  const { type } = statfsSync(directory);
  return known[type] ?? `type 0x${type.toString(16)}`;
}
