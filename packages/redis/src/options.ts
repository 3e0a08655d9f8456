import {
  flag,
  integer,
  milliseconds,
  refuseUnknown,
  shown,
  text,
  unexpected,
  unexpectedSecret,
} from "@taskq/core/engine";
import { TaskqError } from "@taskq/core/storage";
import type { Duration } from "@taskq/core";
import type { RedisOptions as ConnectionOptions } from "ioredis";
import type { Client, ClusterClient, RedisClient } from "./connection/client.js";
import type { Source } from "./connection/source.js";
import { optionsOfUrl } from "./connection/url.js";

/** How a storage in Redis is reached, and what it asks of the server. */
export type RedisOptions = RedisSource & {
  /** Before every key. Letters, digits, `_`, `-`, `.` and `:`; 64 at most. @default 'taskq' */
  readonly keyPrefix?: string;
  /** Refuse, rather than warn of, a server that voids our promises. @default false */
  readonly strict?: boolean;
  /** Copies that must have confirmed an enqueue, and each step of a queue that moves here or from here. @default 0 */
  readonly minReplicas?: number;
  /**
   * Hash tags that the plain jobs of each queue are spread over, 256 at most: on a Cluster its masters share them. A queue
   * keeps the number it was first opened with; another one is refused with `TASKQ_OPTION`. What holds across them: guide/redis.md.
   *
   * @default 1
   */
  readonly partitions?: number;
  /** The longest one call may take: '100ms' to '60s'. @default '5s' */
  readonly timeout?: Duration;
};

/** By URL, by ioredis options (Sentinel too), or through your own ioredis client or Cluster, which stays yours to close. */
export type RedisSource =
  | {
      /** `redis://user:password@host:port/database`; `rediss://` for TLS. */
      readonly url: string;
      readonly connection?: never;
      readonly client?: never;
    }
  | {
      /** What `new Redis(…)` of ioredis takes, `sentinels` too. */
      readonly connection: ConnectionOptions;
      readonly url?: never;
      readonly client?: never;
    }
  | {
      /** Only its settings are used: we open connections of our own, and never send on yours or close it. */
      readonly client: RedisClient;
      readonly url?: never;
      readonly connection?: never;
    };

/** The options with their defaults. */
export interface Settings {
  readonly source: Source;
  readonly keyPrefix: string;
  readonly strict: boolean;
  readonly minReplicas: number;
  readonly partitions: number;
  /** In milliseconds. */
  readonly timeout: number;
}

const KNOWN = ["url", "connection", "client", "keyPrefix", "strict", "minReplicas", "partitions", "timeout"];
const PREFIX = /^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$/;
/** A call that takes longer than this is no call. */
const LONGEST_TIMEOUT = 60_000;
const SHORTEST_TIMEOUT = 100;
const MOST_PARTITIONS = 256;

/** Checks the options. @throws `TASKQ_OPTION` */
export function settingsOf(options: unknown): Settings {
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw unexpectedSecret("redisStorage", "an object with 'url', 'connection' or 'client'", options);
  }
  refuseUnknown(options, KNOWN, "redisStorage");
  const given = options as Record<string, unknown>;
  const { keyPrefix = "taskq", strict = false, minReplicas = 0, partitions = 1, timeout = "5s" } = given;
  return {
    source: sourceOf(given),
    keyPrefix: checkedPrefix(keyPrefix),
    strict: flag(strict, "redisStorage strict"),
    minReplicas: integer(minReplicas, "redisStorage minReplicas", { min: 0, max: 100 }),
    partitions: integer(partitions, "redisStorage partitions", { min: 1, max: MOST_PARTITIONS }),
    timeout: checkedTimeout(timeout),
  };
}

function sourceOf(given: Record<string, unknown>): Source {
  const { url, connection, client } = given;
  const named = Object.entries({ url, connection, client }).filter(([, value]) => value !== undefined);
  if (named.length !== 1) {
    const none =
      "url" in given ? "a url that is undefined; the variable that it is read from may be unset" : "none";
    const came = named.length === 0 ? none : named.map(([name]) => `'${name}'`).join(" and ");
    throw new TaskqError(
      "TASKQ_OPTION",
      `redisStorage: expected one of 'url', 'connection' and 'client', got ${came}`,
    );
  }
  if (url !== undefined) return { kind: "options", options: optionsOfUrl(text(url, "redisStorage url")) };
  if (connection !== undefined) return { kind: "options", options: checkedConnection(connection) };
  return checkedClient(client);
}

function checkedConnection(connection: unknown): ConnectionOptions {
  // never shown: it may hold a password
  if (typeof connection !== "object" || connection === null || Array.isArray(connection)) {
    throw unexpectedSecret("redisStorage connection", "the options of new Redis(…)", connection);
  }
  const options = connection as ConnectionOptions;
  refusePrefix(options.keyPrefix, "connection");
  refuseReplica(options.role, options.readOnly, "connection");
  if (options.sentinels !== undefined && options.sentinels !== null && typeof options.name !== "string") {
    throw new TaskqError(
      "TASKQ_OPTION",
      "redisStorage connection: expected 'name' beside 'sentinels', the name under which they watch the master",
    );
  }
  return options;
}

const CLIENT_METHODS = ["call", "callBuffer", "duplicate", "disconnect", "quit", "on", "off"] as const;

function checkedClient(client: unknown): Source {
  const given = client as Partial<Record<string, unknown>> | null;
  const isClient =
    typeof given === "object" &&
    given !== null &&
    CLIENT_METHODS.every((name) => typeof given[name] === "function");
  if (!isClient) {
    throw unexpectedSecret("redisStorage client", "an ioredis client or Cluster", client);
  }
  const ours = client as Client;
  refusePrefix(ours.options?.keyPrefix, "client");
  refuseReplica(ours.options?.role, ours.options?.readOnly, "client");
  if (ours.isCluster) return { kind: "cluster", cluster: client as ClusterClient };
  return { kind: "client", client: ours };
}

/** ioredis would put it before the keys of our scripts, and not before our channels. */
function refusePrefix(prefix: unknown, what: string): void {
  if (prefix === undefined || prefix === null || prefix === "") return;
  throw new TaskqError(
    "TASKQ_OPTION",
    `redisStorage ${what}: expected no keyPrefix of ioredis, got ${shown(prefix)}; ` +
      `write redisStorage({ …, keyPrefix: ${shown(prefix)} }) instead`,
  );
}

function refuseReplica(role: unknown, readOnly: unknown, what: string): void {
  if ((role === undefined || role === "master") && readOnly !== true) return;
  throw new TaskqError(
    "TASKQ_OPTION",
    `redisStorage ${what}: expected a connection to the master, got ` +
      (readOnly === true ? "readOnly: true" : `role: ${shown(role)}`),
  );
}

function checkedPrefix(prefix: unknown): string {
  if (typeof prefix === "string" && PREFIX.test(prefix)) return prefix;
  throw unexpected(
    "redisStorage keyPrefix",
    "a letter or digit, then at most 63 letters, digits, '_', '-', '.' or ':'",
    prefix,
  );
}

function checkedTimeout(timeout: unknown): number {
  const length = milliseconds(timeout as Duration, "redisStorage timeout");
  if (length >= SHORTEST_TIMEOUT && length <= LONGEST_TIMEOUT) return length;
  throw unexpected("redisStorage timeout", "a duration from '100ms' to '60s'", timeout);
}
