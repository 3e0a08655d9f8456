/**
 * How the storage talks to the server: `run(script, keys, parameters)`, and seldom `command(name, …)`.
 *
 * What the storage may rest on:
 * - Each call settles within the timeout of the storage (`timeout`, 5 s), whatever happens to server and network: with
 *   its answer, or with a `TaskqError`: `TASKQ_UNAVAILABLE` (no answer in time, or the server takes nothing for the moment:
 *   `LOADING`, `READONLY`, `CLUSTERDOWN`, `MISCONF`, …; it may have been carried out), `TASKQ_STORAGE` (the server refused: out of memory,
 *   not allowed, an error in a script), `TASKQ_CLOSED`.
 * - Within its time a call is sent again, the same bytes (but for what is asked for by `again`), whenever its connection was lost or the server said "not now". So **each
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
import { Call, type CallPlace, type Receiver, type Sending } from "./call.js";
import { isCluster, type Parameter, type Reply } from "./client.js";
import { connectionTo, type Connection } from "./connection.js";
import { copiesOf } from "./copies.js";
import { Deadlines } from "./deadlines.js";
import type { Script } from "./script.js";
import { CommandSending, ScriptSending, SentTexts, type SentAgain, type WhenFull } from "./sending.js";
import { slotOf } from "./slot.js";
import type { Source } from "./source.js";

/** What a script or command is given; numbers are written as JavaScript writes them. */
export type CallParameter = string | number | Uint8Array;

export interface CallOptions {
  /** The longest this call may take, in milliseconds; the timeout of the storage unless given. */
  readonly timeout?: number | undefined;
  /** When what it is a part of began, by `performance.now()`: its time runs from there. @default now */
  readonly since?: number | undefined;
  /** Replicas that must have confirmed what the script wrote. @default 0 */
  readonly copies?: number | undefined;
  /** What is otherwise from the second time on that it is sent. */
  readonly again?: SentAgain | undefined;
  /** Whether those whom its hints reach are to hear of it before the caller has its reply. @default false */
  readonly hintsFirst?: boolean | undefined;
  /** Of a script that a full server carries out `always`: told when it is, and may change the parameters. */
  readonly whenFull?: WhenFull | undefined;
}

export interface CallerOptions {
  readonly source: Source;
  /** The longest a call may take, in milliseconds. */
  readonly timeout: number;
}

const NO_OPTIONS: CallOptions = {};
const AS_IT_IS: WhenFull = () => {};

/** See the head of this file. */
export class Caller {
  /** The one that calls are sent on. */
  readonly connection: Connection;
  readonly #options: CallerOptions;
  readonly #deadlines = new Deadlines();
  readonly #place: CallPlace;
  readonly #texts = new SentTexts();
  /** For calls that wait for replicas: `WAIT` holds up all that follows it on its connection. */
  #copying: CallPlace | undefined;
  #closed = false;

  constructor(options: CallerOptions) {
    this.#options = options;
    this.connection = connectionTo(options.source, "taskq");
    this.#place = { connection: this.connection, deadlines: this.#deadlines };
  }

  /** Grows by one whenever a connection has been made anew. */
  get generation(): number {
    return this.connection.generation;
  }

  /** Milliseconds since the connection was made anew: 0 while there is none, `undefined` as long as the first one lasts. */
  get connectedFor(): number | undefined {
    const { client, generation, readySince } = this.connection;
    if (client === undefined) return 0;
    return generation < 2 ? undefined : performance.now() - readySince;
  }

  /**
   * Runs a script. The keys are all those that it touches.
   *
   * @throws `TASKQ_UNAVAILABLE` `TASKQ_STORAGE` `TASKQ_CLOSED`
   * @example const [claimed] = (await caller.run(step, keys, [owner, request])) as [Buffer[]];
   */
  run(
    script: Script,
    keys: readonly string[],
    parameters: readonly CallParameter[],
    options: CallOptions = NO_OPTIONS,
  ): Promise<Reply> {
    const words = parameters.map(sendable);
    return new Promise((resolve, reject) => {
      this.send({ resolve, reject }, script, keys, words, options);
    });
  }

  /** The same, without a promise. The parameters are written to. */
  send(
    receiver: Receiver,
    script: Script,
    keys: readonly string[],
    parameters: Parameter[],
    options: CallOptions = NO_OPTIONS,
  ): void {
    const { copies = 0, again, hintsFirst, whenFull = AS_IT_IS } = options;
    const confirm = copies === 0 ? undefined : copiesOf(keys[0] ?? "", copies, script.name);
    const full = script.always === true ? whenFull : undefined;
    const sending = new ScriptSending(
      script,
      keys,
      parameters,
      this.#texts,
      confirm,
      again,
      hintsFirst,
      full,
    );
    this.#call(receiver, sending, options);
  }

  /** Sends a command. @throws `TASKQ_UNAVAILABLE` `TASKQ_STORAGE` `TASKQ_CLOSED` */
  command(
    name: string,
    parameters: readonly CallParameter[],
    options: CallOptions = NO_OPTIONS,
  ): Promise<Reply> {
    return this.#asked(new CommandSending(name, parameters.map(sendable)), options);
  }

  /** Sends a command to the master that has a key, whether or not the command has keys. */
  commandAt(
    key: string,
    name: string,
    parameters: readonly CallParameter[],
    options: CallOptions = NO_OPTIONS,
  ): Promise<Reply> {
    return this.#asked(new CommandSending(name, parameters.map(sendable), key), options);
  }

  /** `host:port` of the master that has a key, on a Cluster that is connected. */
  addressOf(key: string): string | undefined {
    const { client } = this.connection;
    return client !== undefined && isCluster(client) ? client.slots[slotOf(key)]?.[0] : undefined;
  }

  /** Calls whenever a connection was made. */
  onConnected(listener: () => void): () => void {
    return this.connection.onReady(listener);
  }

  /** Resolves once each call that is under way now has settled: within its time. Before `close`. */
  whenSettled(): Promise<void> {
    return this.#deadlines.whenEnded();
  }

  /** Rejects what is under way with `TASKQ_CLOSED` and closes the connections. */
  close(): void {
    this.#closed = true;
    this.#deadlines.rejectAll(closed);
    this.connection.close();
    this.#copying?.connection.close();
  }

  #asked(sending: Sending, options: CallOptions): Promise<Reply> {
    return new Promise((resolve, reject) => {
      this.#call({ resolve, reject }, sending, options);
    });
  }

  #call(receiver: Receiver, sending: Sending, options: CallOptions): void {
    if (this.#closed) return receiver.reject(closed());
    const { timeout = this.#options.timeout, since } = options;
    const place = sending.confirm === undefined ? this.#place : this.#copyingPlace();
    // It is kept by what it has begun.
    void new Call(receiver, sending, place, timeout, since);
  }

  #copyingPlace(): CallPlace {
    this.#copying ??= {
      connection: connectionTo(this.#options.source, "taskq-copies"),
      deadlines: this.#deadlines,
    };
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
