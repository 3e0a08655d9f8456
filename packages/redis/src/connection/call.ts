import type { TaskqError } from "@taskq/core/storage";
import { isCluster, type Client, type ClusterClient, type Reply } from "./client.js";
import type { Connection } from "./connection.js";
import { hopeless, judge, unavailable } from "./failure.js";

/** Of a call's time, the part after which a connection that is silent is given up for another one. */
const SILENCE = 0.4;

/** A timer that is later than this, in milliseconds, says that the process did not get to read what came either. */
const LATE = 50;
/** For reading that. */
const READING = 20;

/** What one call sends. */
export interface Sending {
  /** As messages name it. */
  readonly what: string;
  send(client: Client | ClusterClient): Promise<unknown>;
  /** After the server has said that it does not know the script. */
  sendWhole(client: Client | ClusterClient): Promise<unknown>;
  /** What must be true before the answer counts; rejects if it is not. `remaining` is in milliseconds. */
  confirm?(client: Client | ClusterClient, remaining: number): Promise<void>;
}

export interface CallParts {
  readonly sending: Sending;
  readonly connection: Connection;
  readonly timeout: number;
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: TaskqError) => void;
  readonly ended: () => void;
}

/** One call, from the first attempt until it settles: within its timeout, in any case. */
export class Call {
  readonly #parts: CallParts;
  readonly #until: number;
  #timer: NodeJS.Timeout | undefined;
  #pause: NodeJS.Timeout | undefined;
  #sentTo: Client | ClusterClient | undefined;
  #sentAt = 0;
  #settled = false;
  #wasLate = false;
  /** Why the last attempt failed. */
  #why: unknown;

  constructor(parts: CallParts) {
    this.#parts = parts;
    this.#until = performance.now() + parts.timeout;
  }

  begin(): void {
    this.#attempt();
    this.#watch();
  }

  reject(error: TaskqError): void {
    if (this.#end()) this.#parts.reject(error);
  }

  /** A field, so that it can be waited with and taken back. */
  readonly #attempt = (): void => {
    if (this.#settled) return;
    const { connection } = this.#parts;
    const { client } = connection;
    if (client !== undefined) return this.#send(client, false);
    this.#sentTo = undefined;
    connection.whenReady(this.#attempt);
  };

  #send(client: Client | ClusterClient, whole: boolean): void {
    const { sending } = this.#parts;
    this.#sentTo = client;
    this.#sentAt = performance.now();
    let answer: Promise<unknown>;
    try {
      answer = whole ? sending.sendWhole(client) : sending.send(client);
    } catch (error) {
      return this.#failed(client, error);
    }
    answer.then(
      (reply) => this.#answered(client, reply as Reply),
      (error: unknown) => this.#failed(client, error),
    );
  }

  #answered(client: Client | ClusterClient, reply: Reply): void {
    this.#parts.connection.answered();
    const { sending } = this.#parts;
    if (sending.confirm === undefined) return this.#resolve(reply);
    if (this.#settled) return;
    sending.confirm(client, this.#until - performance.now()).then(
      () => this.#resolve(reply),
      (error: unknown) => this.#failed(client, error),
    );
  }

  #resolve(reply: Reply): void {
    if (this.#end()) this.#parts.resolve(reply);
  }

  #failed(client: Client | ClusterClient, error: unknown): void {
    if (this.#settled || this.#sentTo !== client) return;
    const { connection, sending } = this.#parts;
    this.#sentTo = undefined;
    const verdict = judge(error, sending.what);
    switch (verdict.kind) {
      case "fail":
        return this.reject(verdict.error);
      case "unknown-script":
        return this.#send(client, true);
      case "again":
        this.#why = error;
        this.#pause = setTimeout(this.#attempt, verdict.pause);
        return;
      case "reconnect":
        // of a lost connection, the connection knows why
        this.#why = verdict.said ? error : undefined;
        connection.doubt(client, verdict.said ? error : undefined);
        this.#attempt();
    }
  }

  /** The one timer of a call: first it looks whether the connection is silent, at last it ends the call. */
  #watch(): void {
    if (this.#settled) return;
    const { timeout } = this.#parts;
    const now = performance.now();
    const silentAt = (this.#sentTo === undefined ? now : this.#sentAt) + timeout * SILENCE;
    // looks early when there is no connection: one that cannot come about is told at once
    const next = this.#sentTo === undefined ? now + Math.min(timeout / 10, 100) : silentAt;
    const at = Math.max(now + 1, Math.min(next, this.#until));
    this.#timer = setTimeout(() => this.#look(at), at - now);
  }

  #look(at: number): void {
    const { connection, sending, timeout } = this.#parts;
    const now = performance.now();
    if (now - at > LATE && !this.#wasLate) {
      // this process has been busy or frozen: the answer may have come and not been read
      this.#wasLate = true;
      this.#timer = setTimeout(() => this.#look(now), READING);
      return;
    }
    // a timer may fire a fraction of a millisecond early
    if (now >= this.#until - 1) {
      return this.reject(unavailable(sending.what, timeout, this.#why ?? connection.failure));
    }
    const client = this.#sentTo;
    if (client === undefined) {
      const error = connection.client === undefined ? hopeless(connection.failure, sending.what) : undefined;
      if (error !== undefined) return this.reject(error);
    } else if (now - this.#sentAt >= timeout * SILENCE && this.#isSilent(client)) {
      // rejects what is in flight on it, this call too, and each of them is sent again
      connection.doubt(client, new Error("the server took the call and does not answer"));
    }
    this.#watch();
  }

  /** Whether nothing has come since. Of a Cluster, it is one node that is silent while others answer. */
  #isSilent(client: Client | ClusterClient): boolean {
    return isCluster(client) || this.#parts.connection.answeredAt < this.#sentAt;
  }

  #end(): boolean {
    if (this.#settled) return false;
    this.#settled = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#pause);
    this.#parts.connection.cancel(this.#attempt);
    this.#parts.ended();
    return true;
  }
}
