import type { EventEmitter } from "node:events";
import type { RedisOptions as ConnectionOptions } from "ioredis";

/** What we use of an ioredis client or Cluster. */
export interface RedisClient {
  readonly status: string;
  readonly isCluster: boolean;
  call(command: string, ...parameters: (string | Buffer | number)[]): Promise<unknown>;
  /** As `call`, with replies as bytes. */
  callBuffer(command: string, ...parameters: (string | Buffer | number)[]): Promise<unknown>;
  duplicate(): RedisClient;
  disconnect(): void;
  quit(): Promise<unknown>;
  on(event: string, listener: (...parameters: unknown[]) => void): unknown;
  off(event: string, listener: (...parameters: unknown[]) => void): unknown;
}

/** An ioredis client as it really is. Replies are bytes where they are not numbers. */
export interface Client extends Omit<RedisClient, "duplicate" | "callBuffer"> {
  callBuffer(command: string, parameters: readonly Parameter[]): Promise<unknown>;
  duplicate(overrides?: ConnectionOptions): Client;
  readonly options?: ConnectionOptions;
  /** The socket, or what the user's own connector makes in place of it; none before the first attempt to connect. */
  readonly stream?: Pick<EventEmitter, "on"> & { unref?(): unknown; readonly bytesRead?: number };
}

/** An ioredis Cluster as it really is. */
export interface ClusterClient extends Omit<Client, "duplicate" | "options" | "stream"> {
  duplicate(startupNodes: readonly unknown[], overrides: object): ClusterClient;
  nodes(role: "all" | "master" | "slave"): Client[];
  /** `host:port` of each slot, the master first. */
  readonly slots: readonly (readonly string[] | undefined)[];
  readonly options?: { readonly redisOptions?: ConnectionOptions; readonly scaleReads?: unknown } & Record<
    string,
    unknown
  >;
}

/** What a command is given. */
export type Parameter = string | number | Buffer;

/** What a server answers: of a script, integers, bytes, `null` for nil, and arrays of them. */
export type Reply = number | Buffer | null | readonly Reply[];

/** Whether the client is a Cluster, and has nodes. */
export function isCluster(client: Client | ClusterClient): client is ClusterClient {
  return client.isCluster;
}
