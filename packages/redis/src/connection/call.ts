import { CALL_BYTES, type TaskqError } from "@taskq/core/storage";
import { bytesRead } from "./arrivals.js";
import { isCluster, type Client, type ClusterClient, type Reply } from "./client.js";
import type { Connection } from "./connection.js";
import type { Deadlines } from "./deadlines.js";
import { hopeless, judge, unavailable } from "./failure.js";

/** Of a call's time, the part after which a connection that is silent is given up for another one. */
const SILENCE = 0.4;
/** The same while as much is under way as a full call carries: over a slow network that takes long. */
const SILENCE_WHEN_LARGE = 0.8;
/** Milliseconds that a call waits for a connection before it asks whether one can come about at all. */
const HOPE = 100;

/** Is told what became of what was sent on a client. */
export interface Hearing {
  answered(client: Client | ClusterClient, reply: Reply): void;
  failed(client: Client | ClusterClient, error: unknown): void;
}

/** Tells of a reply that ioredis promises. */
export function hear(client: Client | ClusterClient, hearing: Hearing, replied: Promise<unknown>): void {
  replied.then(
    (reply) => hearing.answered(client, reply as Reply),
    (error: unknown) => hearing.failed(client, error),
  );
}

/** What one call sends. */
export interface Sending {
  /** As messages name it. */
  readonly what: string;
  /** Of a Cluster, the node of this key answers. */
  readonly key?: string | undefined;
  /** How much it carries, about. */
  readonly bytes: number;
  send(client: Client | ClusterClient, hearing: Hearing): void;
  /** After the server has said that it does not know the script. */
  sendWhole(client: Client | ClusterClient, hearing: Hearing): void;
  /** After the server has said that its memory is full: whether it is now such that it is carried out all the same. */
  press?(error: TaskqError): boolean;
  /** What must be true before the answer counts; rejects if it is not. `remaining` is in milliseconds. */
  readonly confirm?: ((client: Client | ClusterClient, remaining: number) => Promise<void>) | undefined;
}

export interface CallPlace {
  readonly connection: Connection;
  readonly deadlines: Deadlines;
}

/** Is told what a call came to, once: a promise's two functions, or what needs none. */
export interface Receiver {
  resolve(reply: Reply): void;
  reject(error: TaskqError): void;
}

/** Of a call that has settled. */
const SENT: Sending = { what: "a call that has settled", bytes: 0, send() {}, sendWhole() {} };

/** One call, from the first attempt until it settles: within its timeout, in any case. */
export class Call implements Hearing {
  place = -1;
  readonly #receiver: Receiver;
  #sending: Sending;
  readonly #place: CallPlace;
  readonly #timeout: number;
  readonly #begun: number;
  #pause: NodeJS.Timeout | undefined;
  #sentTo: Client | ClusterClient | undefined;
  #sentAt = 0;
  /** Bytes that it has under way, and that were under way when it was sent, with its own. */
  #carried = 0;
  #carriedBefore = 0;
  /** Bytes that had come by the first look after it was sent. */
  #readBefore: number | undefined;
  #settled = false;
  /** Why the server did not carry it out when it was last asked. */
  #why: unknown;

  constructor(receiver: Receiver, sending: Sending, place: CallPlace, timeout: number, since?: number) {
    this.#receiver = receiver;
    this.#sending = sending;
    this.#place = place;
    this.#timeout = timeout;
    const now = performance.now();
    this.#begun = since ?? now;
    place.deadlines.add(this);
    const { client } = place.connection;
    if (client === undefined) place.connection.whenReady(this);
    else this.#send(client, false, now);
  }

  reject(error: TaskqError): void {
    if (this.#end()) this.#receiver.reject(error);
  }

  /** Sends it, as soon as there is a connection. */
  attempt(): void {
    if (this.#settled) return;
    const { connection } = this.#place;
    const { client } = connection;
    if (client !== undefined) return this.#send(client, false, performance.now());
    this.#sentTo = undefined;
    connection.whenReady(this);
  }

  #send(client: Client | ClusterClient, whole: boolean, now: number): void {
    this.#sentTo = client;
    this.#sentAt = now;
    this.#readBefore = undefined;
    this.#carry(this.#sending.bytes);
    this.#carriedBefore = this.#place.connection.bytesUnderWay;
    try {
      if (whole) this.#sending.sendWhole(client, this);
      else this.#sending.send(client, this);
    } catch (error) {
      this.failed(client, error);
    }
  }

  answered(client: Client | ClusterClient, reply: Reply): void {
    this.#place.connection.answered();
    if (this.#settled) return;
    const { confirm } = this.#sending;
    if (confirm === undefined) return this.#done(reply);
    confirm(client, this.#begun + this.#timeout - performance.now()).then(
      () => this.#done(reply),
      (error: unknown) => this.failed(client, error),
    );
  }

  #done(reply: Reply): void {
    if (this.#end()) this.#receiver.resolve(reply);
  }

  failed(client: Client | ClusterClient, error: unknown): void {
    if (this.#settled || this.#sentTo !== client) return;
    const { connection } = this.#place;
    this.#sentTo = undefined;
    this.#carry(0);
    const verdict = judge(error, this.#sending.what);
    switch (verdict.kind) {
      case "fail":
        return this.reject(verdict.error);
      case "full":
        if (this.#sending.press?.(verdict.error) !== true) return this.reject(verdict.error);
        return this.#send(client, false, performance.now());
      case "unknown-script":
        return this.#send(client, true, performance.now());
      case "again":
        this.#why = error;
        this.#pause = setTimeout(() => this.attempt(), verdict.pause);
        return;
      case "reconnect":
        // of a lost connection, the connection knows why
        this.#why = verdict.said ? error : undefined;
        connection.doubt(client, verdict.said ? error : undefined);
        this.attempt();
    }
  }

  /** Ends the call if its time is over, and doubts a connection that is silent. Called now and then. */
  look(now: number, precision: number): void {
    const { connection } = this.#place;
    if (now >= this.#begun + this.#timeout - precision) {
      return this.reject(unavailable(this.#sending.what, this.#timeout, this.#why ?? connection.failure));
    }
    const client = this.#sentTo;
    if (client === undefined) {
      if (connection.client !== undefined || now < this.#begun + Math.min(HOPE, this.#timeout * 0.1)) return;
      const error = hopeless(connection.failure, this.#sending.what);
      if (error !== undefined) this.reject(error);
    } else if (this.#isSilent(client, now)) {
      // if it is given up, this call is rejected with all that is in flight on it, and each of them is sent again
      connection.suspect(client);
    }
  }

  /** Whether nothing has come since, for long. Of a Cluster, it is one node that is silent while others answer. */
  #isSilent(client: Client | ClusterClient, now: number): boolean {
    const { key } = this.#sending;
    this.#readBefore ??= bytesRead(client, key);
    const load = Math.min(1, this.#carriedBefore / CALL_BYTES);
    const share = SILENCE + (SILENCE_WHEN_LARGE - SILENCE) * load;
    if (now < this.#sentAt + this.#timeout * share) return false;
    if (!isCluster(client) && this.#place.connection.answeredAt >= this.#sentAt) return false;
    return bytesRead(client, key) === this.#readBefore;
  }

  #carry(bytes: number): void {
    this.#place.connection.bytesUnderWay += bytes - this.#carried;
    this.#carried = bytes;
  }

  #end(): boolean {
    if (this.#settled) return false;
    this.#settled = true;
    this.#carry(0);
    if (this.#pause !== undefined) clearTimeout(this.#pause);
    if (this.#sentTo === undefined) this.#place.connection.cancel(this);
    this.#place.deadlines.delete(this);
    // Some calls live on until a full collection: not with what they sent.
    this.#sending = SENT;
    return true;
  }
}
