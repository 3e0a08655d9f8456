/**
 * Hints from other processes, by what scripts publish: never needed for correctness, and lost at any time.
 *
 * - `wake.listen(channel, listener)`: the listener is called with each message, and with `undefined` whenever messages
 *   may have been missed: once the channel is first listened to, and after each reconnect. Then look again.
 * - A script publishes with `wake.command`: `PUBLISH`, `SPUBLISH` on a Cluster from Redis 7 on, or `undefined` where nothing can be
 *   heard or said; then everybody polls slowly.
 * - Connections: one for all channels; on a Cluster one for each hash slot that is listened to, to its master. None while
 *   nobody listens.
 * - Idle traffic: a beat every ten seconds for each of them. A message to itself, through the server, that does not come back is a
 *   doubt: the connection is thrown away and another one is made.
 */
import type { Caller } from "../connection/caller.js";
import { duplicateOf, type Source } from "../connection/source.js";
import { isCluster, type Client } from "../connection/client.js";
import { Connection, connectionTo } from "../connection/connection.js";
import { nodeOf } from "../connection/copies.js";
import { slotOf } from "../connection/slot.js";
import { Line } from "./line.js";

/** How hints travel. */
export type WakeMode = "plain" | "sharded" | "none";

export type WakeListener = (message: Buffer | undefined) => void;

export interface WakeOptions {
  readonly caller: Caller;
  readonly source: Source;
  /** As the opening found. */
  readonly mode: WakeMode;
  /** Between two beats, in milliseconds. @default 10000 */
  readonly beat?: number | undefined;
}

const BEAT = 10_000;
const NAME = "taskq-wake";

/** See the head of this file. */
export class Wake {
  readonly mode: WakeMode;
  readonly #options: WakeOptions;
  /** By hash slot on a Cluster; else there is one. */
  readonly #lines = new Map<number, Line>();
  #closed = false;

  constructor(options: WakeOptions) {
    this.#options = options;
    this.mode = options.mode;
  }

  /** What scripts publish with. */
  get command(): "PUBLISH" | "SPUBLISH" | undefined {
    if (this.mode === "none") return undefined;
    return this.mode === "sharded" ? "SPUBLISH" : "PUBLISH";
  }

  /** Listens until the function it answers is called. */
  listen(channel: string, listener: WakeListener): () => void {
    if (this.mode === "none" || this.#closed) return () => {};
    const place = this.#placeOf(channel);
    let line = this.#lines.get(place);
    if (line === undefined) {
      line = this.#makeLine(channel);
      this.#lines.set(place, line);
    }
    const stop = line.listen(channel, listener);
    return () => {
      stop();
      if (!line.isUsed) {
        line.close();
        if (this.#lines.get(place) === line) this.#lines.delete(place);
      }
    };
  }

  /** Whether what is published on a channel now is heard by those who listen, as far as can be known. */
  hears(channel: string): boolean {
    return this.#lines.get(this.#placeOf(channel))?.hears(channel) === true;
  }

  close(): void {
    this.#closed = true;
    for (const line of this.#lines.values()) line.close();
    this.#lines.clear();
  }

  #placeOf(channel: string): number {
    return this.mode === "sharded" ? slotOf(channel) : 0;
  }

  #makeLine(channel: string): Line {
    const { caller, source, beat = BEAT } = this.#options;
    const sharded = this.mode === "sharded";
    const connection = sharded
      ? new Connection({ make: () => this.#toMasterOf(channel), asksSeveral: true, database: 0 })
      : connectionTo(source, NAME);
    return new Line({ caller, connection, sharded, beat, sibling: channel });
  }

  /** A connection of its own to the node that has the channel's slot now. */
  #toMasterOf(channel: string): Client {
    const { client } = this.#options.caller.connection;
    if (client !== undefined && isCluster(client)) return duplicateOf(nodeOf(client, channel), NAME);
    this.#options.caller.connection.start();
    throw new Error("the Cluster is not connected");
  }
}
