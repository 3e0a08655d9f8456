import { Caller } from "./connection/caller.js";
import { descriptionOf } from "./connection/description.js";
import { checkedQueue, keyBase } from "./names.js";
import { checkServer, warnOf, type CheckedServer } from "./opening/check-server.js";
import type { Finding } from "./opening/findings.js";
import type { Settings } from "./options.js";
import { Wake, type WakeListener } from "./wake/wake.js";

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
  /** For people: where it is, without a password. */
  readonly description: string;
  readonly #settings: Settings;
  readonly #opened = new Map<string, Promise<CheckedServer>>();
  readonly #told = new Set<string>();
  #wake: Wake | undefined;

  constructor(settings: Settings) {
    this.#settings = settings;
    this.caller = new Caller(settings);
    this.description = descriptionOf(settings.source);
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
      opening = this.#check(queue, isCluster);
      this.#opened.set(place, opening);
      opening.catch(() => this.#opened.delete(place));
    }
    const { findings, wake } = await opening;
    this.#warn(findings);
    const { caller } = this;
    this.#wake ??= new Wake({ caller, source: this.#settings.source, mode: wake });
  }

  /** Hears a channel of a queue that is open, until the function it answers is called. See `Wake`. */
  listen(channel: string, listener: WakeListener): () => void {
    return this.#wake?.listen(channel, listener) ?? (() => {});
  }

  close(): void {
    this.#wake?.close();
    this.caller.close();
  }

  #check(queue: string, cluster: boolean): Promise<CheckedServer> {
    const { keyPrefix, partitions, strict, minReplicas } = this.#settings;
    const bases = Array.from({ length: partitions }, (_, n) => keyBase(keyPrefix, queue, n));
    const { caller, description } = this;
    return checkServer({ caller, cluster, strict, minReplicas, bases, description });
  }

  #warn(findings: readonly Finding[]): void {
    const news = findings.filter(({ message }) => !this.#told.has(message));
    for (const { message } of news) this.#told.add(message);
    warnOf(news);
  }
}
