/** Calls of scripts about one queue: requests, refusals, and what is left to do from earlier calls. */
import { randomBytes } from "node:crypto";
import {
  Hints,
  TaskqError,
  type AmendAnswer,
  type AmendRequest,
  type JobEffect,
  type Settlement,
  type WatchHint,
  type WatchOptions,
} from "@taskq/core/storage";
import type { CallParameter } from "./connection/caller.js";
import type { Receiver } from "./connection/call.js";
import type { Parameter, Reply } from "./connection/client.js";
import type { Script } from "./connection/script.js";
import { databaseOf } from "./connection/source.js";
import type { SentAgain, WhenFull } from "./connection/sending.js";
import { EarlyJobs } from "./early-jobs.js";
import { SCRIPTS } from "./lua/scripts.js";
import { effectOf } from "./wire/answers.js";
import { completedFrom, toldHint, toldOf } from "./wire/told.js";
import { listOf, numberIfAny, textsOf } from "./wire/values.js";
import { pack } from "./wire/pack.js";
import { unpack, type AnswerRecord } from "./wire/unpack.js";
import type { Link } from "./link.js";
import { finalChannel, handedChannel, keyBase, wakeChannel } from "./names.js";
import type { Settings } from "./options.js";
import { PendingStats } from "./pending-stats.js";
import { QueueGone } from "./opening/open-again.js";
import { Presence } from "./opening/presence.js";
import { HangingRuns } from "./hanging-runs.js";
import { QueueKeys } from "./queue-keys.js";
import { WaitingClaims, type WaitingOptions } from "./waiting-claims.js";

/** How often the time that the server tells is compared with what is known of it, in milliseconds. */
const COMPARED_EVERY = 1_000;

/** What every request names; each script reads more of its own. */
export interface Asked {
  readonly queue: string;
  readonly now?: number | undefined;
}

export interface Told {
  readonly answer: AnswerRecord;
  readonly effects: readonly JobEffect[];
}

export interface OpenQueueOptions {
  /** Rows that one script ends because of others; of tests. */
  readonly atOnce?: number | undefined;
  /** `undefined`: the queue is not spread over several. */
  readonly partition?: number | undefined;
  /** Opens the queue where the server has nothing of it any more. */
  readonly openAgain?: (() => Promise<void>) | undefined;
  /** Gives back a run that came for a claim that waited. */
  readonly release?: WaitingOptions["release"] | undefined;
}

/** One queue as this storage knows it, or one partition of it. */
export class OpenQueue {
  readonly name: string;
  readonly #keys: QueueKeys;
  readonly stats: PendingStats = new PendingStats();
  /** Whether the last step went the short way: then the next one tries that alone. */
  stepsAreShort = false;
  /** Whether the last step went the short way but for some of what it claimed. */
  stepsAreMixed = false;
  /** Runs that were claimed here, and that go the long way when they end. */
  readonly hanging: HangingRuns = new HangingRuns();
  /** Lanes of owners whose last step was not answered: it may be carried out after others. */
  readonly unanswered: Set<string> = new Set<string>();
  /** Whether a few other processes, and nobody here, heard the last hint of jobs that were stored. */
  isListenedTo = false;
  /** Whether anybody heard that hint. */
  hasListeners = false;
  readonly waiting: WaitingClaims;
  readonly early: EarlyJobs;
  /** Whether a few processes heard the last hint of jobs that became final. */
  isWaitedFor = false;
  /** When the server's time was last compared. */
  #comparedAt = -Infinity;
  readonly #hints = new Hints();
  readonly #channel: string;
  readonly #database: number;
  readonly #link: Link;
  readonly #settings: Settings;
  /** Rows that one script ends because of others; of tests. */
  readonly atOnce: number | undefined;
  #stopListening: (() => void) | undefined;
  #stopListeningToFinal: (() => void) | undefined;
  #stopListeningToHanded: (() => void) | undefined;

  /** Of a queue that is spread over several; 0 is the home partition. */
  readonly partition: number;
  readonly presence: Presence;

  constructor(name: string, link: Link, settings: Settings, options: OpenQueueOptions = {}) {
    const { atOnce, partition = 0, openAgain, release = async () => {} } = options;
    this.name = name;
    this.partition = partition;
    this.#keys = new QueueKeys(settings.keyPrefix, name, partition);
    this.#link = link;
    this.#settings = settings;
    this.#channel = wakeChannel(settings.keyPrefix, name, partition);
    this.#database = databaseOf(settings.source);
    this.atOnce = atOnce;
    this.presence = new Presence(openAgain);
    this.early = new EarlyJobs(link.clock, async (ids, due) => {
      await this.amend({ queue: name, ids, change: { kind: "reschedule", due } });
    });
    const channel = handedChannel(this.#channel, randomBytes(8).toString("hex"));
    this.waiting = new WaitingClaims({
      channel,
      hears: () => options.partition === undefined && this.#hearsHanded(channel),
      now: () => link.clock.now(),
      hint: () => this.#hints.ready(),
      release,
    });
  }

  /** Begins to listen where somebody here takes what comes. */
  #hearsHanded(channel: string): boolean {
    if (!this.isHeard) return false;
    this.#stopListeningToHanded ??= this.#link.listen(channel, (message) => {
      if (message !== undefined) this.waiting.hear(message);
    });
    return this.#link.hears(channel);
  }

  watch(listener: (hint: WatchHint) => void, options: WatchOptions = {}): () => void {
    const stop = this.#hints.watch(listener, options);
    this.#stopListening ??= this.#listen(this.#channel);
    // Whoever runs jobs makes many of them final, and does not wait for any.
    if (options.final !== false) this.#stopListeningToFinal ??= this.#listen(finalChannel(this.#channel));
    return () => {
      stop();
      if (!this.#hints.isHeardOfFinal) this.#stopFinal();
      if (!this.#hints.isHeard) this.#stop();
    };
  }

  /** Whether somebody hears of the queue here: by the answers, before what was published comes back. */
  get isHeard(): boolean {
    return this.#hints.isHeard;
  }

  /** Whether all hints of the queue are heard here now, as far as can be known. */
  get hears(): boolean {
    if (this.#stopListening === undefined || this.#stopListeningToFinal === undefined) return false;
    return this.#link.hears(this.#channel) && this.#link.hears(finalChannel(this.#channel));
  }

  /** Tells those who watch here of jobs that the short way has settled. */
  settled(settlements: readonly Settlement[]): void {
    if (settlements.length === 0 || !this.#hints.isHeardOfFinal) return;
    this.#hints.completed(toldOf(settlements));
    this.#hints.final(...settlements.map(({ id }) => id));
  }

  /** What the short way is to tell others of these, if more than which they are. */
  hintOf(settlements: readonly Settlement[]): Buffer | undefined {
    if (!this.isWaitedFor || settlements.length === 0 || this.publish === "") return undefined;
    const told = toldOf(settlements);
    return told.length === 0 ? undefined : toldHint(settlements, told, this.#database);
  }

  /** The time of the server, as far as it is known. */
  now(): number {
    return this.#link.clock.now();
  }

  /** Changes jobs by id, as many with each script as it may do. */
  async amend(request: AmendRequest): Promise<AmendAnswer> {
    const changed: string[] = [];
    const effects: JobEffect[] = [];
    for (let { ids } = request; ;) {
      const told = await this.ask(SCRIPTS.amend, request, { ids });
      changed.push(...textsOf(told.answer["changed"]));
      effects.push(...told.effects);
      const done = numberIfAny(told.answer["done"]);
      if (done === undefined) return { changed, effects };
      ids = ids.slice(done);
    }
  }

  /** Whether the server's time is to be compared with a call of this moment. Other partitions may lie on servers with other clocks. */
  comparesTime(now: number): boolean {
    return this.partition === 0 && Math.abs(now - this.#comparedAt) >= COMPARED_EVERY;
  }

  /** The server has told its time with a call that was made at `since`. */
  sawTime(time: number | undefined, since: number): void {
    if (time === undefined) return;
    this.#comparedAt = since;
    this.#link.clock.compare(time, since);
  }

  /** The server says that something is still to come. Whoever waits for it would ask all the time if that had passed by what is known here. */
  sawComing(instant: number | undefined): void {
    if (instant !== undefined) this.#link.clock.awaits(instant);
  }

  #listen(channel: string): () => void {
    return this.#link.listen(channel, (message) => {
      const hint = message === undefined ? undefined : hintFrom(message);
      if (hint === undefined) this.#hints.any();
      else this.hint(hint);
    });
  }

  #stop(): void {
    this.#stopListening?.();
    this.#stopListening = undefined;
    this.#stopListeningToHanded?.();
    this.#stopListeningToHanded = undefined;
  }

  #stopFinal(): void {
    this.#stopListeningToFinal?.();
    this.#stopListeningToFinal = undefined;
  }

  /** Nobody hears any more, and it is not opened again. */
  close(): void {
    this.presence.close();
    this.waiting.close();
    this.#hints.clear();
    this.#stop();
    this.#stopFinal();
  }

  /**
   * Runs a script; what is left from earlier calls is done first. `since` is as of `run`; `more` is a function if it is to be
   * of the moment at which the call is sent, also when it is sent again.
   */
  async ask(
    script: Script,
    request: Asked,
    more: object | (() => object) = {},
    since?: number,
  ): Promise<Told> {
    const plain = { ...request, atOnce: this.atOnce };
    const asked = typeof more === "function" ? () => ({ ...plain, ...more() }) : { ...plain, ...more };
    let begun = since;
    return this.caughtUp(request.now, () => {
      const answer = this.#once(script, asked, begun);
      // each part of what is left has a time of its own, and so has what comes after it
      begun = undefined;
      return answer;
    });
  }

  /** Makes a call again, once what it was told to be left from earlier calls is done. */
  async caughtUp(now: number | undefined, call: () => Promise<AnswerRecord>): Promise<Told> {
    let effects: readonly JobEffect[] = [];
    for (;;) {
      let answer: AnswerRecord;
      const { timesOpened } = this.presence;
      try {
        answer = await call();
      } catch (error) {
        await this.presence.openIfGone(error, timesOpened);
        answer = await call();
      }
      effects = [...effects, ...listOf(answer["effects"], effectOf)];
      if (answer["behind"] !== true) return { answer, effects };
      effects = [...effects, ...(await this.catchUp(now))];
    }
  }

  /** Does what is left from earlier calls, a bounded part of it with each script. */
  async catchUp(now: number | undefined): Promise<readonly JobEffect[]> {
    const effects: JobEffect[] = [];
    for (;;) {
      const asked = { queue: this.name, now, atOnce: this.atOnce };
      const answer = await this.presence.during(() => this.#once(SCRIPTS.resume, asked));
      effects.push(...listOf(answer["effects"], effectOf));
      if (answer["behind"] !== true) return effects;
    }
  }

  async #once(script: Script, request: Asked | (() => Asked), since?: number): Promise<AnswerRecord> {
    const isOfNow = typeof request === "function";
    const packed = (): Buffer => pack(isOfNow ? request() : request);
    const again = isOfNow ? { place: 0, parameter: packed } : undefined;
    return this.told(script, await this.run(script, [packed(), this.publish], since, again));
  }

  /** Grows whenever a connection has been made anew. */
  get generation(): number {
    return this.#link.caller.generation;
  }

  /** Milliseconds since the connection was made anew; see `Caller`. */
  get connectedFor(): number | undefined {
    return this.#link.caller.connectedFor;
  }

  /** What scripts publish hints with; nothing where nobody can hear them. */
  get publish(): string {
    return this.#link.wakeCommand ?? "";
  }

  /**
   * Runs a script, and answers what it replied. Of scripts of one call, all but the first say `since` when it began; `hintsFirst`
   * and `whenFull` are as of `Caller`.
   */
  run(
    script: Script,
    parameters: readonly CallParameter[],
    since?: number,
    again?: SentAgain,
    hintsFirst?: boolean,
    whenFull?: WhenFull,
  ): Promise<Reply> {
    const options = { copies: this.#copiesOf(script), since, again, hintsFirst, whenFull };
    return this.#link.caller.run(script, this.#keys.of(script), parameters, options);
  }

  /** The same, without a promise. */
  send(
    receiver: Receiver,
    script: Script,
    parameters: Parameter[],
    since: number | undefined,
    hintsFirst: boolean,
  ): void {
    const options = { copies: this.#copiesOf(script), since, hintsFirst };
    this.#link.caller.send(receiver, script, this.#keys.of(script), parameters, options);
  }

  /** Replicas that must have confirmed what it wrote. */
  #copiesOf(script: Script): number {
    return script.copied === true ? this.#settings.minReplicas : 0;
  }

  /** Runs a script that declares keys beside those of every partition, and answers what it told. */
  async askBeside(script: Script, names: readonly string[], request: object): Promise<AnswerRecord> {
    const base = keyBase(this.#settings.keyPrefix, this.name, this.partition);
    const keys = [...this.#keys.of(script), ...names.map((name) => `${base}${name}`)];
    return this.presence.during(async () =>
      this.told(script, await this.#link.caller.run(script, keys, [pack(request), this.publish])),
    );
  }

  /** Runs a script with its text: no call that is sent behind it is carried out before it for want of the text. */
  async runWhole(script: Script, parameters: readonly CallParameter[]): Promise<Reply> {
    const keys = this.#keys.of(script);
    return this.#link.caller.command("eval", [script.source, keys.length, ...keys, ...parameters]);
  }

  /** The packed reply of a script; throws what it refused, and hands on its hints. */
  told(script: Script, reply: Reply): AnswerRecord {
    if (!Buffer.isBuffer(reply)) {
      throw new TaskqError("TASKQ_STORAGE", `the script ${script.name} answered otherwise than in bytes`);
    }
    const answer = unpack(reply) as AnswerRecord;
    const refused = answer["refused"] as AnswerRecord | undefined;
    if (refused !== undefined) {
      const message = refused["message"] as string;
      if (refused["gone"] === true) throw new QueueGone(message);
      this.presence.sees(refused);
      throw new TaskqError(refused["code"] as TaskqError["code"], message);
    }
    this.presence.sees(answer);
    const { rebuilt } = answer;
    if (typeof rebuilt === "string") this.#link.warnOfRebuilt(this.name, rebuilt);
    const hints = answer["hints"] as AnswerRecord | undefined;
    if (hints !== undefined) this.hint(hints);
    return answer;
  }

  /** Tells those who watch here, what a script told of its call; many final jobs are told without their ids. */
  hint(hint: AnswerRecord): void {
    if (!this.#hints.isHeard) return;
    const { ready, control, final } = hint;
    if (ready === true) this.#hints.ready();
    if (control === true) this.#hints.control();
    if (final === true) this.#hints.manyFinal();
    else if (final !== undefined) {
      this.#hints.completed(completedFrom(hint, this.#database));
      this.#hints.final(...textsOf(final));
    }
  }
}

/** Anybody may publish: what is no hint of ours says that something may have happened, and no more. */
function hintFrom(message: Buffer): AnswerRecord | undefined {
  try {
    const answer = unpack(message);
    return typeof answer === "object" && !Array.isArray(answer) ? (answer as AnswerRecord) : undefined;
  } catch {
    return undefined;
  }
}
