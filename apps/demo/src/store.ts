/** Where the programs keep their jobs: a SQLite file of their own, or, with `TASKQ_REDIS_URL`, keys of their own on that server. */
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Storage } from "@taskq/core";
import { redisStorage } from "@taskq/redis";
import { sqliteStorage } from "@taskq/sqlite";
import { Redis } from "ioredis";

/** May hold a password: consumer processes inherit it, and nobody prints it. */
const url = process.env["TASKQ_REDIS_URL"] || undefined;
const KEYS_AT_ONCE = 500;

/** What one run of a program keeps. */
export interface Store {
  /** The file, or what stands before every key: what a consumer process is told. */
  readonly place: string;
  /** Such as `one SQLite file`. */
  readonly kind: string;
  /** For a person. */
  readonly where: string;
  /** Removes all that was kept. */
  remove(): Promise<void>;
}

/** A new, empty one. */
export async function makeStore(program: string): Promise<Store> {
  if (url !== undefined) return serverStore(url, program);
  const folder = await mkdtemp(join(tmpdir(), `taskq-${program}-`));
  const place = join(folder, "jobs.db");
  const remove = () => rm(folder, { recursive: true, force: true });
  return { place, kind: "one SQLite file", where: place, remove };
}

/** The storage at a place; each process opens one for itself. */
export function storageAt(place: string): Storage {
  return url === undefined ? sqliteStorage({ path: place }) : redisStorage({ url, keyPrefix: place });
}

export const isFile: boolean = url === undefined;

function serverStore(server: string, program: string): Store {
  const place = `taskq-${program}-${randomBytes(4).toString("hex")}`;
  const host = URL.canParse(server) ? new URL(server).host : "";
  return {
    place,
    kind: "one Redis server",
    where: `${host}, keys ${place}:*`,
    remove: () =>
      withClient(server, async (client) => {
        for await (const keys of keysOf(client, place)) if (keys.length > 0) await client.unlink(...keys);
      }),
  };
}

/** How many keys are there that begin like those of a place. */
export async function countKeys(place: string): Promise<number> {
  let count = 0;
  await withClient(url ?? "", async (client) => {
    for await (const keys of keysOf(client, place)) count += keys.length;
  });
  return count;
}

async function* keysOf(client: Redis, place: string): AsyncGenerator<readonly string[]> {
  let cursor = "0";
  do {
    const [next, keys] = await client.scan(cursor, "MATCH", `${place}:*`, "COUNT", KEYS_AT_ONCE);
    cursor = next;
    yield keys;
  } while (cursor !== "0");
}

async function withClient(server: string, work: (client: Redis) => Promise<void>): Promise<void> {
  const client = new Redis(server, { maxRetriesPerRequest: 0, retryStrategy: () => null });
  // Each command is told of it too.
  client.on("error", () => {});
  try {
    await work(client);
  } catch (error) {
    // Without its cause, which holds the command, and with it a password.
    // oxlint-disable-next-line preserve-caught-error
    throw new Error(`Redis: ${error instanceof Error ? error.message : "no answer"}`);
  } finally {
    client.disconnect();
  }
}
