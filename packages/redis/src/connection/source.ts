import { Redis, type RedisOptions as ConnectionOptions } from "ioredis";
import type { Client, ClusterClient } from "./client.js";
import { readDirectly } from "./direct.js";

/** Where connections come from. */
export type Source =
  | { readonly kind: "options"; readonly options: ConnectionOptions }
  | { readonly kind: "client"; readonly client: Client }
  | { readonly kind: "cluster"; readonly cluster: ClusterClient };

/** How long a connection may take to be made, in milliseconds, one server tried. */
const CONNECT_TIMEOUT = 2_000;
/** Of a Sentinel, to say who is the master. */
const SENTINEL_TIMEOUT = 1_000;
/** A socket that we let go of is destroyed after this time, whether or not the other end has answered. */
const DISCONNECT_TIMEOUT = 50;
/** The slots of a Cluster are asked of one node after another, for so long each. */
const SLOTS_TIMEOUT = 1_000;

/**
 * What we need of a connection, whatever the user's own settings are.
 *
 * ioredis never repairs a connection of ours: it is thrown away on doubt and another one is made. A command in flight
 * on a connection that ends is thereby rejected at once; with a retry strategy and `autoResendUnfulfilledCommands: false`
 * it would never settle, and with the resending of ioredis nobody could say how often it was sent.
 */
function oursOver(given: ConnectionOptions, name: string): ConnectionOptions {
  return {
    connectionName: given.connectionName ?? name,
    // selected by us: ioredis goes on in database 0 where the server refuses
    db: 0,
    lazyConnect: false,
    retryStrategy: () => null,
    reconnectOnError: null,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    maxRetriesPerRequest: null,
    // measured: 96,000 jobs a second without, 36,000 with it
    enableAutoPipelining: false,
    connectTimeout: CONNECT_TIMEOUT,
    // by INFO, which a least user may not be allowed; after a fail-over it tells the master from one that was
    enableReadyCheck: hasSentinels(given),
    disconnectTimeout: DISCONNECT_TIMEOUT,
    sentinelRetryStrategy: () => null,
    sentinelCommandTimeout: SENTINEL_TIMEOUT,
    keyPrefix: "",
    // no HELLO, which a least user may not be allowed either; the replies of scripts are the same
    protocol: 2,
    replyMapping: "legacy" as const,
    disableClientInfo: true,
    stringNumbers: false,
    readOnly: false,
    monitor: false,
  };
}

/** Whether servers are asked, one after another, where to connect: a Cluster, and Sentinels. */
export function asksSeveral(source: Source): boolean {
  if (source.kind === "cluster") return true;
  const options = source.kind === "options" ? source.options : source.client.options;
  return options !== undefined && hasSentinels(options);
}

function hasSentinels({ sentinels }: ConnectionOptions): boolean {
  return sentinels !== undefined && sentinels !== null;
}

/** The number of the database that its connections select. */
export function databaseOf(source: Source): number {
  if (source.kind === "cluster") return 0;
  return (source.kind === "options" ? source.options : source.client.options)?.db ?? 0;
}

/** Opens a connection. It is to be given an `error` listener at once. */
export function makeClient(source: Source, name: string): Client | ClusterClient {
  if (source.kind === "options") {
    const options = { ...withoutTimeouts(source.options), ...oursOver(source.options, name) };
    return oneOfOurs(new Redis({ ...options, replyMapping: "legacy" }));
  }
  if (source.kind === "client") return duplicateOf(source.client, name);
  const { cluster } = source;
  const ours = cluster.duplicate([], {
    lazyConnect: false,
    clusterRetryStrategy: () => null,
    clusterNodeRetryStrategy: null,
    enableOfflineQueue: true,
    enableAutoPipelining: false,
    keyPrefix: "",
    scaleReads: "master",
    shardedSubscribers: false,
    slotsRefreshTimeout: SLOTS_TIMEOUT,
    // its timer would keep the process alive; a slot that has moved is told of by the node that had it
    slotsRefreshInterval: 0,
    scripts: undefined,
    redisOptions: nodeOptions(cluster.options?.redisOptions ?? {}, name),
  });
  ours.on("+node", (node: unknown) => oneOfOurs(node as Client));
  return ours;
}

/** Opens another connection with the settings of a client. */
export function duplicateOf(client: Client, name: string): Client {
  const given = client.options ?? {};
  return oneOfOurs(client.duplicate({ ...noTimeouts, ...oursOver(given, name), himportFieldsets: [] }));
}

/** Of what has nothing left to do but us, the process may end: it is calls that keep it alive, by their deadlines. */
function oneOfOurs(client: Client): Client {
  client.on("connect", () => client.stream?.unref?.());
  return readDirectly(client);
}

function nodeOptions(given: ConnectionOptions, name: string): ConnectionOptions {
  const { readOnly: _, ...ours } = oursOver(given, name);
  // a node of ours is connected when it is first needed: until then, its commands wait in its queue
  return { ...withoutTimeouts(given), ...ours, enableOfflineQueue: true, enableReadyCheck: false };
}

/** Deadlines are ours: a blocking or slow command must not end a connection from inside. */
const noTimeouts: ConnectionOptions = Object.fromEntries(
  ["commandTimeout", "socketTimeout", "blockingTimeout", "scripts"].map((name) => [name, undefined]),
);

function withoutTimeouts(options: ConnectionOptions): ConnectionOptions {
  return { ...options, ...noTimeouts };
}
