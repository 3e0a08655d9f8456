import { Caller } from "./connection/caller.js";
import { descriptionOf } from "./connection/description.js";
import { checkedQueue, keyBase } from "./names.js";
import { checkServer, warnOf, type CheckedServer } from "./opening/check-server.js";
import { lossOf, rebuiltOf, type LostParts } from "./opening/loss.js";
import type { Finding } from "./opening/findings.js";
import type { Settings } from "./options.js";
import { ServerClock } from "./server-clock.js";
import { Wake, type WakeListener } from "./wake/wake.js";

/** After a reconnect, so many milliseconds without another one. */
const CALM = 5_000;

/** What was warned of: once in a process, however many storages lead to the server. */
const told = new Set<string>();

/**
 * All that a storage has to do with a server: the calls, the checks when a queue opens, and the hints.
 *
 * Nothing connects before the first `open`. Scripts publish with `wakeCommand`, which is known from the first `open` on.
 *
 * @example
 * const link = new Link(settingsOf(options));
 * await link.open("main");
 * link.listen(wakeChannel(settings.keyPrefix, "main"), (message) => look());
 * await link.caller.run(script, keys, [link.wakeCommand ?? "", …]);
 */
export class Link {
  readonly caller: Caller;
  /** The time of the server; of a Cluster, of the node that has the first queue that was opened. */
  readonly clock: ServerClock;
  /** For people: where it is, without a password. */
  readonly description: string;
  readonly #settings: Settings;
  readonly #opened = new Map<string, Promise<CheckedServer>>();
  /** The queue that was checked there. */
  readonly #queues = new Map<string, string>();
  readonly #calm: number;
  #wake: Wake | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(settings: Settings, calm: number = CALM) {
    this.#settings = settings;
    this.#calm = calm;
    this.caller = new Caller(settings);
    this.description = descriptionOf(settings.source);
    this.clock = new ServerClock(() => this.#time());
    this.caller.onConnected(() => {
      void this.clock.askAgain();
      this.#checkLater();
    });
  }

  /** Whether there is a connection that calls can be sent on. */
  get isConnected(): boolean {
    return this.caller.connection.client !== undefined;
  }

  /** What scripts publish hints with: `undefined` where nobody could hear them. */
  get wakeCommand(): "PUBLISH" | "SPUBLISH" | undefined {
    return this.#wake?.command;
  }

  /**
   * Checks the servers that have the queue, once each, and warns of what voids a promise.
   *
   * @throws `TASKQ_OPTION` for a name that is none, `TASKQ_STORAGE` for a server that cannot work, or that voids a promise under
   * `strict`, `TASKQ_UNAVAILABLE`, `TASKQ_CLOSED`
   */
  async open(queue: string): Promise<void> {
    checkedQueue(queue);
    const isCluster = this.#settings.source.kind === "cluster";
    // on a Cluster another queue lies on another node
    const place = isCluster ? queue : "";
    let opening = this.#opened.get(place);
    if (opening === undefined) {
      this.#queues.set(place, queue);
      opening = this.#check(queue, isCluster);
      this.#opened.set(place, opening);
      opening.catch(() => this.#opened.delete(place));
    }
    const [{ findings, wake }] = await Promise.all([opening, this.clock.open()]);
    this.#warn(findings);
    const { caller } = this;
    this.#wake ??= new Wake({ caller, source: this.#settings.source, mode: wake });
  }

  /** Hears a channel of a queue that is open, until the function it answers is called. See `Wake`. */
  listen(channel: string, listener: WakeListener): () => void {
    return this.#wake?.listen(channel, listener) ?? (() => {});
  }

  /** Whether what is published on it now is heard by those who listen, as far as can be known. */
  hears(channel: string): boolean {
    return this.#wake?.hears(channel) === true;
  }

  /** What is under way is answered first, unless the server is away: it may have been carried out. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#wake?.close();
    if (this.isConnected) await this.caller.whenSettled();
    this.caller.close();
  }

  /**
   * Another connection may lead to a server that was started anew, without what was only set by `CONFIG SET`, or to
   * another one. Looks once it is calm; what is wrong now is warned of also under `strict`, as calls are under way.
   */
  #checkLater(): void {
    if (this.caller.generation < 2) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      for (const queue of this.#queues.values()) {
        this.#check(queue, this.#settings.source.kind === "cluster", false).then(
          ({ findings }) => this.#warn(findings),
          // a server that cannot work at all is told by the calls
          () => {},
        );
      }
    }, this.#calm).unref();
  }

  async #time(): Promise<number> {
    const [queue = ""] = this.#queues.values();
    const reply = await this.caller.commandAt(keyBase(this.#settings.keyPrefix, queue), "time", []);
    const [seconds, microseconds] = Array.isArray(reply) ? reply.map(Number) : [];
    return (seconds ?? Number.NaN) * 1_000 + (microseconds ?? Number.NaN) / 1_000;
  }

  #check(queue: string, cluster: boolean, strict = this.#settings.strict): Promise<CheckedServer> {
    const { keyPrefix, partitions, minReplicas } = this.#settings;
    // Of one server, all partitions have the same.
    const length = cluster ? partitions : 1;
    const bases = Array.from({ length }, (_, n) => keyBase(keyPrefix, queue, n));
    const { caller, description } = this;
    return checkServer({ caller, cluster, strict, minReplicas, bases, description });
  }

  /**
   * Warns that the server has lost a queue, and why, as far as it can be seen.
   *
   * @param parts of a queue that is spread over several partitions: which of them
   */
  warnOfLoss(queue: string, parts?: LostParts): void {
    void this.#lossOf(queue, parts).then((finding) => warnOf([finding]));
  }

  /** Warns that a key of a queue was gone, and was made anew. */
  warnOfRebuilt(queue: string, what: string): void {
    warnOf([rebuiltOf(queue, what, this.description)]);
  }

  async #lossOf(queue: string, parts: LostParts | undefined): Promise<Finding> {
    const { description } = this;
    let findings: readonly Finding[] | undefined;
    try {
      ({ findings } = await this.#check(queue, this.#settings.source.kind === "cluster", false));
    } catch {
      // the loss is told all the same
    }
    return lossOf({ queue, parts, description, findings });
  }

  #warn(findings: readonly Finding[]): void {
    const news = findings.filter(({ message }) => !told.has(message));
    for (const { message } of news) told.add(message);
    warnOf(news);
  }
}
