import { bytesRead } from "./arrivals.js";
import { isCluster, type Client, type ClusterClient } from "./client.js";
import { judge } from "./failure.js";
import { letGo } from "./let-go.js";
import { asMet } from "./mismatch.js";
import { probe } from "./probe.js";
import { asksSeveral, databaseOf, makeClient, type Source } from "./source.js";

/** Pauses before the next attempt to connect, in milliseconds: the longest one is reached after some six attempts. */
const FIRST_PAUSE = 10;
const LONGEST_PAUSE = 1_000;
/** From the first packet until a connection can be used. Longer where several servers are asked, of which some may be away. */
const READY_WITHIN = 2_500;
const READY_WITHIN_OF_SEVERAL = 6_000;

/** A connection on which nothing came for so long, in milliseconds, is given up with all that is in flight on it. */
const LONGEST_SILENCE = 15_000;

export interface ConnectionOptions {
  /** Opens one. What it throws is a failed attempt. */
  readonly make: () => Client | ClusterClient;
  /** Whether several servers may have to be asked where to connect. */
  readonly asksSeveral: boolean;
  /** The number of the one that is selected before a client is used. */
  readonly database: number;
}

/** For a source; `CLIENT LIST` shows the name, unless the user gave one. */
export function connectionTo(source: Source, name: string): Connection {
  return new Connection({
    make: () => makeClient(source, name),
    asksSeveral: asksSeveral(source),
    database: databaseOf(source),
  });
}

/** What waits for a connection. */
export interface Waiting {
  attempt(): void;
}

/**
 * One connection (of a Cluster: one to each of its masters that is used) that is made again whenever it is in doubt.
 *
 * A client of ioredis serves until it is closed, fails to connect, or somebody doubts it; then it is thrown away with
 * all that is in flight on it, and another one is made, at first at once, then with pauses that grow to a second.
 */
export class Connection {
  /** The one that can be used now. */
  client: Client | ClusterClient | undefined;
  /** Why the last attempt failed; what a call that runs out of time names as its cause. */
  failure: unknown;
  /** When the present client became ready, by `performance.now()`. */
  readySince = 0;
  /** When something last came from the server, by `performance.now()`. */
  answeredAt = 0;
  /** Bytes of calls that were sent and are not answered. */
  bytesUnderWay = 0;
  /** How many clients have become ready so far. */
  generation = 0;
  readonly #options: ConnectionOptions;
  readonly #readyWithin: number;
  readonly #waiting = new Set<Waiting>();
  readonly #listeners = new Set<() => void>();
  #making: Client | ClusterClient | undefined;
  #attempts = 0;
  #timer: NodeJS.Timeout | undefined;
  #stopProbe: (() => void) | undefined;
  #state: "idle" | "open" | "closed" = "idle";

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#readyWithin = options.asksSeveral ? READY_WITHIN_OF_SEVERAL : READY_WITHIN;
  }

  /** Begins to connect, if nobody has yet. */
  start(): void {
    if (this.#state !== "idle") return;
    this.#state = "open";
    this.#connect();
  }

  /** Lets it attempt once there is a client to use; `cancel` takes it back. */
  whenReady(waiting: Waiting): void {
    this.start();
    this.#waiting.add(waiting);
  }

  cancel(waiting: Waiting): void {
    this.#waiting.delete(waiting);
  }

  /** Calls whenever another client has become ready. */
  onReady(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Throws a client away, with all that is in flight on it. Does nothing if it has been thrown away already. */
  doubt(client: Client | ClusterClient, why?: unknown): void {
    if (client !== this.client && client !== this.#making) return;
    this.failure = why ?? this.failure ?? new Error("the server closed the connection");
    this.client = undefined;
    this.#making = undefined;
    clearTimeout(this.#timer);
    this.#endProbe();
    letGo(client);
    if (this.#state !== "open") return;
    this.#connectLater();
  }

  /**
   * Nothing has come on a client for long: goes over to another one if that is answered, or if the server is gone. Of a
   * Cluster it is one node that says nothing, and only the rest of the Cluster knows whether another has taken its place.
   */
  suspect(client: Client | ClusterClient): void {
    if (client !== this.client || this.#stopProbe !== undefined) return;
    const now = performance.now();
    const { answeredAt } = this;
    if (isCluster(client) || now - Math.max(answeredAt, this.readySince) > LONGEST_SILENCE) {
      return this.doubt(client, silence());
    }
    const read = bytesRead(client);
    this.#stopProbe = probe(this.#options.make, (probed) => {
      this.#stopProbe = undefined;
      // it was slow, and has answered meanwhile, or begun to
      if (this.answeredAt > answeredAt || bytesRead(client) !== read) return;
      if (probed === "silent") this.failure = silence();
      else this.doubt(client, silence());
    });
  }

  /** The server has answered: the next attempt to connect is the first one again. */
  answered(): void {
    this.#attempts = 0;
    this.answeredAt = performance.now();
  }

  close(): void {
    this.#state = "closed";
    clearTimeout(this.#timer);
    this.#endProbe();
    const client = this.client ?? this.#making;
    this.client = undefined;
    this.#making = undefined;
    if (client !== undefined) letGo(client);
    this.#waiting.clear();
    this.#listeners.clear();
  }

  #endProbe(): void {
    this.#stopProbe?.();
    this.#stopProbe = undefined;
  }

  /** Whoever waits for it keeps the process alive. */
  #connectLater(): void {
    this.#timer = setTimeout(() => this.#connect(), this.#pause()).unref();
  }

  #connect(): void {
    this.#attempts += 1;
    let client: Client | ClusterClient;
    try {
      client = this.#options.make();
    } catch (error) {
      this.failure = error;
      return this.#connectLater();
    }
    this.#making = client;
    const noted = (error: unknown): void => {
      if (client === this.#making) this.failure = asMet(client, error);
      else if (client === this.client) this.failure = error;
    };
    client.on("error", noted);
    if (isCluster(client)) client.on("node error", noted);
    client.on("ready", () => this.#select(client));
    for (const event of ["close", "end"]) client.on(event, () => this.doubt(client));
    this.#timer = setTimeout(
      () =>
        this.doubt(client, this.failure ?? new Error("the server took the connection and does not answer")),
      this.#readyWithin,
    ).unref();
  }

  #select(client: Client | ClusterClient): void {
    if (client !== this.#making) return;
    const { database } = this.#options;
    if (database === 0) return this.#ready(client);
    client.callBuffer("select", [database]).then(
      () => this.#ready(client),
      (error: unknown) => this.#refused(client, error),
    );
  }

  /** The database was not selected. */
  #refused(client: Client | ClusterClient, error: unknown): void {
    if (client !== this.#making) return;
    const verdict = judge(error, `database ${this.#options.database}`);
    if (verdict.kind !== "again") return this.doubt(client, "error" in verdict ? verdict.error : undefined);
    this.failure = error;
    setTimeout(() => this.#select(client), verdict.pause).unref();
  }

  #ready(client: Client | ClusterClient): void {
    if (client !== this.#making) return;
    clearTimeout(this.#timer);
    this.#making = undefined;
    this.client = client;
    this.failure = undefined;
    this.generation += 1;
    this.readySince = performance.now();
    for (const listener of this.#listeners) listener();
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const each of waiting) each.attempt();
  }

  /** At first hardly any; jittered, so that the processes of a queue do not all come at once. */
  #pause(): number {
    if (this.#attempts <= 1) return Math.random() * FIRST_PAUSE;
    const longest = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** this.#attempts);
    return longest * (0.5 + Math.random() / 2);
  }
}

function silence(): Error {
  return new Error("the server took the call and does not answer");
}
