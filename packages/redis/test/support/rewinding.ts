/** Moves during which a server goes back to what it saved before. */
import type { Storage } from "@taskq/core";
import type { ExportRequest, ImportRequest } from "@taskq/core/storage";
import type { Redis } from "ioredis";
import { keyBase } from "../../src/names.js";
import { ask } from "../servers/ask.js";
import type { RedisServer } from "../servers/redis-server.js";

/** What is done before a call of a move, `export` or `import`, by its number from 1 on. */
export type BeforeCall = (call: number, kind: ExportRequest["kind"] | ImportRequest["kind"]) => Promise<void>;

/** A storage of which each call of a move is told before it is made. */
export function toldOfMoves(storage: Storage, before: BeforeCall): Storage {
  let calls = 0;
  return new Proxy(storage, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property);
      if (typeof value !== "function") return value;
      const method = (value as (request: unknown) => unknown).bind(target);
      if (property !== "export" && property !== "import") return method;
      return async (request: ExportRequest | ImportRequest) => {
        calls += 1;
        await before(calls, request.kind);
        return method(request);
      };
    },
  });
}

export function save(server: RedisServer): Promise<string> {
  return ask(server.port, [["SAVE"]]);
}

/** Kills it, and starts it with what it last saved. */
export async function goBack(server: RedisServer): Promise<void> {
  await server.kill();
  await server.restart();
}

/** Keys of one queue in one partition, which go back alone, as on a master of a Cluster. */
export class Copy {
  readonly #redis: Redis;
  readonly #pattern: string;
  #kept: (readonly [string, Buffer | null])[] = [];

  constructor(redis: Redis, keyPrefix: string, partition: number) {
    this.#redis = redis;
    this.#pattern = `${keyBase(keyPrefix, "default", partition)}*`;
  }

  async save(): Promise<void> {
    const keys = await this.#redis.keys(this.#pattern);
    this.#kept = await Promise.all(
      keys.map(async (key) => [key, await this.#redis.dumpBuffer(key)] as const),
    );
  }

  async goBack(): Promise<void> {
    const keys = await this.#redis.keys(this.#pattern);
    if (keys.length > 0) await this.#redis.del(keys);
    for (const [key, bytes] of this.#kept) if (bytes !== null) await this.#redis.restore(key, 0, bytes);
  }
}
