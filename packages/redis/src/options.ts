import type { Duration } from "@taskq/core";
import type { RedisOptions as ConnectionOptions } from "ioredis";

/** How a storage in Redis is reached, and what it asks of the server. */
export type RedisOptions = RedisSource & {
  /** Before every key. Letters, digits, `_`, `-`, `.` and `:`; 64 at most. @default 'taskq' */
  readonly keyPrefix?: string;
  /** Refuse, rather than warn of, a server that voids our promises. @default false */
  readonly strict?: boolean;
  /** Copies that must have confirmed an enqueue. @default 0 */
  readonly minReplicas?: number;
  /** Hash slots that one queue is spread over; more than one needs a Cluster. @default 1 */
  readonly partitions?: number;
  /** The longest one call may take. @default '5s' */
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
  | { readonly client: RedisClient; readonly url?: never; readonly connection?: never };

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
