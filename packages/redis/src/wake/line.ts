import { randomBytes } from "node:crypto";
import { later } from "@taskq/core/storage";
import type { Caller } from "../connection/caller.js";
import type { Client, ClusterClient } from "../connection/client.js";
import type { Connection } from "../connection/connection.js";
import type { WakeListener } from "./wake.js";

/** What a subscription, and a beat, may take. */
const PATIENCE = 2_000;

export interface LineOptions {
  readonly caller: Caller;
  readonly connection: Connection;
  readonly sharded: boolean;
  /** Between two beats, in milliseconds. */
  readonly beat: number;
  /** A channel of the same hash slot. */
  readonly sibling: string;
}

/** One connection that hears channels, and doubts itself. */
export class Line {
  readonly #options: LineOptions;
  readonly #listeners = new Map<string, Set<WakeListener>>();
  /** What only we publish on, and only to hear it. */
  readonly #beatChannel: string;
  readonly #stopReady: () => void;
  readonly #stopReconnected: () => void;
  #client: Client | ClusterClient | undefined;
  /** It, once the server has confirmed its subscriptions. */
  #hears: Client | ClusterClient | undefined;
  #timer: NodeJS.Timeout | undefined;
  #patience: NodeJS.Timeout | undefined;
  #awaited: string | undefined;
  /** Channels whose subscription that client has confirmed. */
  readonly #confirmed = new Set<string>();

  constructor(options: LineOptions) {
    this.#options = options;
    this.#beatChannel = `${options.sibling}:beat:${randomBytes(8).toString("hex")}`;
    const { connection, caller } = options;
    this.#stopReady = connection.onReady(() => this.#ready());
    // where one connection was lost, the other may be too
    this.#stopReconnected = caller.onConnected(() => void this.#beat());
    connection.start();
    this.#schedule();
  }

  get isUsed(): boolean {
    return this.#listeners.size > 0;
  }

  /** Whether what is published on a channel now is heard, as far as can be known. */
  hears(channel: string): boolean {
    return this.#client !== undefined && this.#hears === this.#client && this.#confirmed.has(channel);
  }

  listen(channel: string, listener: WakeListener): () => void {
    let listeners = this.#listeners.get(channel);
    if (listeners === undefined) {
      listeners = new Set();
      this.#listeners.set(channel, listeners);
      if (this.#client !== undefined) this.#subscribe(this.#client, [channel]);
    } else if (this.#hears !== undefined && this.#hears === this.#client) {
      later(() => listener(undefined));
    }
    listeners.add(listener);
    return () => this.#stop(channel, listener);
  }

  close(): void {
    this.#stopReady();
    this.#stopReconnected();
    clearTimeout(this.#timer);
    clearTimeout(this.#patience);
    this.#listeners.clear();
    this.#options.connection.close();
  }

  #stop(channel: string, listener: WakeListener): void {
    const listeners = this.#listeners.get(channel);
    if (listeners?.delete(listener) !== true || listeners.size > 0) return;
    this.#listeners.delete(channel);
    this.#confirmed.delete(channel);
    this.#client
      ?.callBuffer(this.#options.sharded ? "sunsubscribe" : "unsubscribe", [channel])
      .catch(() => {});
  }

  #ready(): void {
    const { client } = this.#options.connection;
    if (client === undefined) return;
    this.#client = client;
    this.#confirmed.clear();
    const heard = (channel: unknown, message: unknown): void =>
      this.#heard(String(channel), message as Buffer);
    client.on(this.#options.sharded ? "smessageBuffer" : "messageBuffer", heard);
    client.on("error", (error) => this.#doubt(client, error));
    // the server takes subscriptions away with their slot
    client.on("moved", () => this.#doubt(client, new Error("the slot has moved")));
    this.#subscribe(client, [...this.#listeners.keys(), this.#beatChannel]);
  }

  #subscribe(client: Client | ClusterClient, channels: readonly string[]): void {
    const doubt = (): void => this.#doubt(client, new Error("no answer to a subscription"));
    const timer = setTimeout(doubt, PATIENCE).unref();
    const command = this.#options.sharded ? "ssubscribe" : "subscribe";
    client
      .callBuffer(command, channels)
      .then(
        () => this.#subscribed(client, channels),
        (error: unknown) => this.#doubt(client, error),
      )
      .finally(() => clearTimeout(timer))
      .catch(() => {});
  }

  /** From now on nothing is missed; what came before may have been. */
  #subscribed(client: Client | ClusterClient, channels: readonly string[]): void {
    if (client !== this.#client) return;
    this.#hears = client;
    this.#options.connection.answered();
    for (const channel of channels) {
      if (this.#listeners.has(channel)) this.#confirmed.add(channel);
      this.#tell(channel, undefined);
    }
  }

  #heard(channel: string, message: Buffer): void {
    this.#options.connection.answered();
    if (channel === this.#beatChannel) {
      if (String(message) === this.#awaited) this.#awaited = undefined;
      return;
    }
    this.#tell(channel, message);
  }

  #tell(channel: string, message: Buffer | undefined): void {
    for (const listener of this.#listeners.get(channel) ?? []) listener(message);
  }

  #doubt(client: Client | ClusterClient, why: unknown): void {
    if (client === this.#client) this.#client = undefined;
    const { caller, connection, sharded } = this.#options;
    // a Cluster learns by a call that a slot has moved; until then it would lead us back to the old node
    if (sharded) caller.command("spublish", [this.#beatChannel, ""]).catch(() => {});
    connection.doubt(client, why);
  }

  #schedule(): void {
    const { beat } = this.#options;
    clearTimeout(this.#timer);
    // jittered, so that the processes of a queue do not beat together
    this.#timer = setTimeout(() => void this.#beat(), beat * (0.8 + Math.random() * 0.4)).unref();
  }

  /** Says something to itself; if it is not heard in time, the connection is of no use. */
  async #beat(): Promise<void> {
    this.#schedule();
    const client = this.#client;
    if (client === undefined || client !== this.#hears || this.#awaited !== undefined) return;
    const token = randomBytes(6).toString("hex");
    this.#awaited = token;
    try {
      const { caller, sharded } = this.#options;
      await caller.command(sharded ? "spublish" : "publish", [this.#beatChannel, token]);
    } catch {
      // the server is away, and the calls take care of that; or the user may not publish, and there is nothing to hear
      this.#awaited = undefined;
      return;
    }
    clearTimeout(this.#patience);
    this.#patience = setTimeout(() => {
      if (this.#awaited !== token) return;
      this.#awaited = undefined;
      this.#doubt(client, new Error("a message to ourselves did not come back"));
    }, PATIENCE).unref();
  }
}
