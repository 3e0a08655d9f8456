/** Stores into which bodies are written past taskq: through the contract, by SQL, by commands. */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import type { Queue, Storage } from "@taskq/core";
import { engineOf } from "@taskq/core/engine";
import { createIdMaker, splitId } from "@taskq/core/storage";
import { memoryStorage } from "@taskq/memory";
import { redisStorage } from "@taskq/redis";
import { startRedisServer } from "@taskq/redis-servers";
import { sqliteStorage } from "@taskq/sqlite";
import Database from "better-sqlite3";
import { Redis } from "ioredis";
import { scratchFolder } from "../scratch-folder.js";

export type StoreName = "memory" | "sqlite" | "redis";

export interface HostileStore {
  readonly storage: Storage;
  /** Stores jobs of the task `add` with these bodies, and answers their ids. */
  readonly put: (queue: Queue, bodies: readonly Uint8Array[]) => Promise<readonly string[]>;
}

export interface Places {
  /** Where files go. */
  readonly directory: string | undefined;
  /** The URL of a server; one is started where there is none. */
  readonly redis: string | undefined;
}

/** Calls `use` with an empty store, and removes it afterwards. */
export async function withStore(
  name: StoreName,
  places: Places,
  use: (store: HostileStore) => Promise<void>,
): Promise<void> {
  switch (name) {
    case "memory":
      return use({ storage: memoryStorage(), put: (queue, bodies) => putThrough(queue, bodies) });
    case "sqlite": {
      using folder = scratchFolder(places.directory);
      const path = join(folder.path, "jobs.db");
      return await use({ storage: sqliteStorage({ path }), put: putBySql(path) });
    }
    case "redis":
      return withRedis(places.redis, use);
    default:
      throw new Error(`--stores: expected memory, sqlite or redis, got "${String(name)}"`);
  }
}

/** A server of its own, or the one that is named, on which nothing is left. */
async function withRedis(
  url: string | undefined,
  use: (store: HostileStore) => Promise<void>,
): Promise<void> {
  const keyPrefix = `hostile-${randomBytes(6).toString("hex")}`;
  const persisting = ["--appendonly", "yes", "--appendfsync", "everysec"];
  const own = url === undefined ? await startRedisServer({ arguments: persisting }) : undefined;
  const address = own?.url ?? url ?? "";
  const redis = new Redis(address);
  try {
    const storage = redisStorage({ url: address, keyPrefix });
    await use({ storage, put: putByCommands(redis, keyPrefix) });
    for await (const keys of redis.scanStream({ match: `${keyPrefix}:*`, count: 500 })) {
      for (const key of keys as readonly string[]) await redis.del(key);
    }
  } finally {
    redis.disconnect();
    await own?.stop();
  }
}

const makeId = createIdMaker();
/** Longer than what Redis keeps within a row, which no single command replaces. */
const PLACEHOLDER = new Uint8Array(600).fill(0x78);

async function putThrough(queue: Queue, bodies: readonly Uint8Array[]): Promise<readonly string[]> {
  const engine = engineOf(queue);
  await engine.open();
  const now = Date.now();
  const flows = bodies.map((body) => {
    const id = makeId(now);
    const rest = {
      expiresAt: undefined,
      after: undefined,
      gates: undefined,
      unique: undefined,
      keep: undefined,
    };
    const delivery = "at-least-once" as const;
    const job = { id, named: false, task: "add", body, priority: 0, due: now, delivery, ...rest };
    return { end: id, jobs: [job], joins: [] };
  });
  await engine.storage.enqueue({ queue: queue.name, flows });
  return flows.map(({ end }) => end);
}

function putBySql(path: string): HostileStore["put"] {
  return async (queue, bodies) => {
    const ids = await putThrough(
      queue,
      // As long, so that the rows lie as they would had these bodies been stored as others are.
      bodies.map(({ length }) => new Uint8Array(length).fill(0x78)),
    );
    const file = new Database(path);
    try {
      // A large body stands apart from its row.
      const apart = file.prepare("UPDATE taskq_bodies SET body = ? WHERE key = ?");
      const within = file.prepare("UPDATE taskq_jobs SET body = ? WHERE key = ?");
      file.transaction(() => {
        for (const [index, id] of ids.entries()) {
          const { time = 0, low = 0 } = splitId(id) ?? {};
          const key = (BigInt(time) << 21n) | BigInt(low);
          const changed = [apart, within].some((change) => change.run(bodies[index], key).changes === 1);
          if (!changed) throw new Error(`no row of job ${id}`);
        }
      })();
    } finally {
      file.close();
    }
    return ids;
  };
}

/** See decisions/redis-layout.md. */
function putByCommands(redis: Redis, keyPrefix: string): HostileStore["put"] {
  return async (queue, bodies) => {
    const ids = await putThrough(
      queue,
      bodies.map(() => PLACEHOLDER),
    );
    const writing = redis.pipeline();
    for (const [index, id] of ids.entries()) {
      const body = Buffer.from(bodies[index] ?? []);
      writing.hset(`${keyPrefix}:{${queue.name}}:bodies`, `b:${id.slice(0, 14)}`, body);
    }
    const answers = (await writing.exec()) ?? [];
    // Each was there before.
    if (!answers.every(([error, created]) => error === null && created === 0))
      throw new Error("no body to replace");
    return ids;
  };
}
