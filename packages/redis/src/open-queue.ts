/** Calls of scripts about one queue: requests, refusals, and what is left to do from earlier calls. */
import { TaskqError, type JobEffect, type WatchHint } from "@taskq/core/storage";
import type { Script } from "./connection/script.js";
import { SCRIPTS } from "./lua/scripts.js";
import { effectOf, listOf } from "./wire/answers.js";
import { pack } from "./wire/pack.js";
import { unpack, type AnswerRecord } from "./wire/unpack.js";
import { Hints } from "./hints.js";
import type { Link } from "./link.js";
import { wakeChannel } from "./names.js";
import type { Settings } from "./options.js";
import { PendingStats } from "./pending-stats.js";
import { keysOf } from "./queue-keys.js";

/** What a script is asked; every request names its queue. */
export interface Asked {
  readonly queue: string;
  readonly now?: number | undefined;
}

export interface Told {
  readonly answer: AnswerRecord;
  readonly effects: readonly JobEffect[];
}

/** One queue as this storage knows it. */
export class OpenQueue {
  readonly name: string;
  readonly keys: readonly string[];
  readonly stats: PendingStats = new PendingStats();
  readonly #hints = new Hints();
  readonly #link: Link;
  readonly #settings: Settings;
  #stopListening: (() => void) | undefined;

  constructor(name: string, link: Link, settings: Settings) {
    this.name = name;
    this.keys = keysOf(settings.keyPrefix, name);
    this.#link = link;
    this.#settings = settings;
  }

  watch(listener: (hint: WatchHint) => void): () => void {
    const stop = this.#hints.watch(listener);
    this.#stopListening ??= this.#link.listen(wakeChannel(this.#settings.keyPrefix, this.name), (message) => {
      if (message === undefined) this.#hints.any();
      else this.#hints.told(unpack(message) as AnswerRecord);
    });
    return () => {
      stop();
      if (this.#hints.isHeard) return;
      this.#stopListening?.();
      this.#stopListening = undefined;
    };
  }

  /** Nobody hears any more. */
  close(): void {
    this.#hints.clear();
    this.#stopListening?.();
    this.#stopListening = undefined;
  }

  /** Runs a script; what is left from earlier calls is done first. */
  async ask<Request extends Asked>(script: Script, request: Request): Promise<Told> {
    let effects: readonly JobEffect[] = [];
    for (;;) {
      const answer = await this.#once(script, request);
      effects = [...effects, ...listOf(answer["effects"], effectOf)];
      if (answer["behind"] !== true) return { answer, effects };
      effects = [...effects, ...(await this.catchUp(request.now))];
    }
  }

  /** Does what is left from earlier calls, a bounded part of it with each script. */
  async catchUp(now: number | undefined): Promise<readonly JobEffect[]> {
    const effects: JobEffect[] = [];
    for (;;) {
      const answer = await this.#once(SCRIPTS.resume, { queue: this.name, now });
      effects.push(...listOf(answer["effects"], effectOf));
      if (answer["behind"] !== true) return effects;
    }
  }

  async #once(script: Script, request: Asked): Promise<AnswerRecord> {
    const copies = script === SCRIPTS.enqueue ? this.#settings.minReplicas : 0;
    const { caller, wakeCommand = "" } = this.#link;
    const reply = await caller.run(script, this.keys, [pack(request), wakeCommand], { copies });
    if (!Buffer.isBuffer(reply)) {
      throw new TaskqError("TASKQ_STORAGE", `the script ${script.name} answered otherwise than in bytes`);
    }
    const answer = unpack(reply) as AnswerRecord;
    const refused = answer["refused"] as AnswerRecord | undefined;
    if (refused !== undefined) {
      throw new TaskqError(refused["code"] as TaskqError["code"], String(refused["message"] as string));
    }
    const hints = answer["hints"] as AnswerRecord | undefined;
    if (hints !== undefined) this.#hints.told(hints);
    return answer;
  }
}
