/**
 * How the storage talks to the server: `run(script, keys, parameters)`, and seldom `command(name, …)`.
 *
 * What the storage may rest on:
 * - Each call settles within the timeout of the storage (`timeout`, 5 s), whatever happens to server and network: with
 *   its answer, or with a `TaskqError`: `TASKQ_UNAVAILABLE` (no answer in time, or the server takes nothing for the moment:
 *   `LOADING`, `READONLY`, `CLUSTERDOWN`, `MISCONF`, …; it may have been carried out), `TASKQ_STORAGE` (the server refused: out of memory,
 *   not allowed, an error in a script), `TASKQ_CLOSED`.
 * - Within its time a call is sent again, the same bytes, whenever its connection was lost or the server said "not now". So **each
 *   call must be idempotent**, and a script must do nothing, rather than half, when it begins to write and may be refused: it
 *   reads everything, then writes. A copy of a call may also be carried out late: the bytes of an attempt that was
 *   given up can lie in the server's socket buffer, and be carried out after newer calls of this process.
 * - Calls are sent in the order in which they are made, on one connection, as long as nothing fails. After a failure
 *   their order is any.
 * - `keys` are all the keys that the script touches, in one hash slot (`{queue}`); a Cluster finds the node by the first.
 *   A command of a Cluster is sent to the node of its key; reads go to masters only.
 * - Replies are `Reply`: integers as numbers, texts as bytes (`Buffer`), nil as `null`, tables as arrays. Bytes are
 *   valid as long as they are held. Lua cuts fractions off numbers: answer those as text.
 * - `generation` and `connectedFor` tell of reconnects: renew leases first after one, and do not reap before one lease
 *   has passed.
 * - No error, message or cause holds parameters, passwords or TLS keys.
 */
import { TaskqError } from "@taskq/core/storage";
import { isCluster, type Client, type ClusterClient, type Parameter, type Reply } from "./client.js";
import { connectionTo, type Connection } from "./connection.js";
import { Call, type Sending } from "./call.js";
import { copiesOf, nodeOf } from "./copies.js";
import type { Script } from "./script.js";
import { slotOf } from "./slot.js";
import type { Source } from "./source.js";

/** What a script or command is given; numbers are written as JavaScript writes them. */
export type CallParameter = string | number | Uint8Array;

export interface CallOptions {
  /** The longest this call may take, in milliseconds; the timeout of the storage unless given. */
  readonly timeout?: number | undefined;
  /** Replicas that must have confirmed what the script wrote. @default 0 */
  readonly copies?: number | undefined;
}

export interface CallerOptions {
  readonly source: Source;
  /** The longest a call may take, in milliseconds. */
  readonly timeout: number;
}

/** See the head of this file. */
export class Caller {
  readonly #options: CallerOptions;
  readonly #connection: Connection;
  /** For calls that wait for replicas: `WAIT` holds up all that follows it on its connection. */
  #copying: Connection | undefined;
  readonly #calls = new Set<Call>();
  /** The client to which the whole text of a script was sent last, and as which call. */
  readonly #texts = new Map<string, { readonly client: Client | ClusterClient; readonly sent: number }>();
  #sent = 0;
  #closed = false;

  constructor(options: CallerOptions) {
    this.#options = options;
    this.#connection = connectionTo(options.source, "taskq");
  }

  /** The connection that commands are sent on. */
  get connection(): Connection {
    return this.#connection;
  }

  /** Grows by one whenever a connection has been made anew. */
  get generation(): number {
    return this.#connection.generation;
  }

  /** Milliseconds since the connection was made; 0 while there is none. */
  get connectedFor(): number {
    return this.#connection.client === undefined ? 0 : performance.now() - this.#connection.readySince;
  }

  /**
   * Runs a script. The keys are all those that it touches.
   *
   * @throws `TASKQ_UNAVAILABLE` `TASKQ_STORAGE` `TASKQ_CLOSED`
   * @example const [claimed] = (await caller.run(step, keys, [owner, String(request)])) as [Buffer[]];
   */
  run(
    script: Script,
    keys: readonly string[],
    parameters: readonly CallParameter[],
    options: CallOptions = {},
  ): Promise<Reply> {
    const rest: Parameter[] = [keys.length, ...keys];
    for (const parameter of parameters) rest.push(sendable(parameter));
    const byHash = [script.sha, ...rest];
    let sentAs = 0;
    let failedByHash = 0;
    const sending: Sending = {
      what: `script ${script.name}`,
      send: (client) => {
        this.#sent += 1;
        sentAs = this.#sent;
        return client.callBuffer("evalsha", byHash);
      },
      // Many calls may meet a server that has forgotten the script: the text is sent once, the others wait behind it.
      sendWhole: (client) => {
        failedByHash += 1;
        const text = this.#texts.get(script.sha);
        if (failedByHash === 1 && text !== undefined && text.client === client && text.sent > sentAs) {
          return sending.send(client);
        }
        this.#sent += 1;
        this.#texts.set(script.sha, { client, sent: this.#sent });
        return client.callBuffer("eval", [script.source, ...rest]);
      },
      ...(options.copies === undefined || options.copies === 0
        ? {}
        : { confirm: copiesOf(keys[0] ?? "", options.copies, script.name) }),
    };
    return this.#call(sending, options);
  }

  /** Sends a command. @throws `TASKQ_UNAVAILABLE` `TASKQ_STORAGE` `TASKQ_CLOSED` */
  command(name: string, parameters: readonly CallParameter[], options: CallOptions = {}): Promise<Reply> {
    const words = parameters.map(sendable);
    const send = (client: Client | ClusterClient): Promise<unknown> =>
      client.callBuffer(name.toLowerCase(), words);
    return this.#call({ what: `command ${name.toUpperCase()}`, send, sendWhole: send }, options);
  }

  /** Sends a command to the master that has a key, whether or not the command has keys. */
  commandAt(
    key: string,
    name: string,
    parameters: readonly CallParameter[],
    options: CallOptions = {},
  ): Promise<Reply> {
    const words = parameters.map(sendable);
    const send = (client: Client | ClusterClient): Promise<unknown> =>
      (isCluster(client) ? nodeOf(client, key) : client).callBuffer(name.toLowerCase(), words);
    return this.#call({ what: `command ${name.toUpperCase()}`, send, sendWhole: send }, options);
  }

  /** `host:port` of the master that has a key, on a Cluster that is connected. */
  addressOf(key: string): string | undefined {
    const { client } = this.#connection;
    return client !== undefined && isCluster(client) ? client.slots[slotOf(key)]?.[0] : undefined;
  }

  /** Calls whenever a connection was made. */
  onConnected(listener: () => void): () => void {
    return this.#connection.onReady(listener);
  }

  /** Rejects what is under way with `TASKQ_CLOSED` and closes the connections. */
  close(): void {
    this.#closed = true;
    for (const call of this.#calls) call.reject(closed());
    this.#connection.close();
    this.#copying?.close();
  }

  #call(sending: Sending, { timeout = this.#options.timeout, copies = 0 }: CallOptions): Promise<Reply> {
    if (this.#closed) return Promise.reject(closed());
    const connection = copies === 0 ? this.#connection : this.#copyingConnection();
    return new Promise((resolve, reject) => {
      const call = new Call({
        sending,
        connection,
        timeout,
        resolve,
        reject,
        ended: () => this.#calls.delete(call),
      });
      this.#calls.add(call);
      call.begin();
    });
  }

  #copyingConnection(): Connection {
    this.#copying ??= connectionTo(this.#options.source, "taskq-copies");
    return this.#copying;
  }
}

function sendable(parameter: CallParameter): Parameter {
  if (typeof parameter !== "object" || Buffer.isBuffer(parameter)) return parameter;
  return Buffer.from(parameter.buffer, parameter.byteOffset, parameter.byteLength);
}

function closed(): TaskqError {
  return new TaskqError("TASKQ_CLOSED", "the storage is closed");
}
