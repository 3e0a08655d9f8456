/** One queue of a consumer: settles what ended and claims what is free, in one step a turn of the event loop. */
import type { Engine, RunHost } from "@taskq/core/engine";
import type { ClaimRequest, TaskqError, WatchHint } from "@taskq/core/storage";
import { Ahead } from "./ahead.js";
import { ClaimTiming } from "./claim-timing.js";
import { Dispatcher } from "./dispatcher.js";
import { HeldRuns } from "./held-runs.js";
import { LeaseKeeper } from "./lease-keeper.js";
import { Loop, type Rest } from "./loop.js";
import { Outage } from "./outage.js";
import { AdaptivePrefetch, FixedPrefetch } from "./prefetch.js";
import type { Slots } from "./slots.js";
import { handedOut, StepExchange, type Exchanged } from "./step-exchange.js";

/** How often revoked runs are asked for at most, in milliseconds. */
const REVOCATION_PAUSE = 50;
/** How often it is told that the storage hands out nothing, in milliseconds. */
const UNCLAIMED_TOLD_EVERY = 60_000;
/**
 * For how long jobs are only claimed ahead, in milliseconds: those that are not to be held without running wait all the
 * while, though they may be the first in line.
 */
const ONLY_AHEAD = 50;

export interface QueueWorkerOptions {
  readonly engine: Engine;
  readonly host: RunHost;
  readonly slots: Slots;
  /** In milliseconds. */
  readonly lease: number;
  readonly prefetch: "adaptive" | number;
  readonly failed: (error: unknown) => void;
  /** An outage of the storage has begun or ended. */
  readonly connectionChanged: () => void;
}

export class QueueWorker {
  readonly engine: Engine;
  readonly outage: Outage;
  readonly dispatcher: Dispatcher;
  /** When the storage last answered a claim; epoch milliseconds by this machine's clock. */
  lastClaimAt: number | undefined;
  readonly #options: QueueWorkerOptions;
  readonly #prefetch: AdaptivePrefetch | FixedPrefetch;
  readonly #ahead = new Ahead();
  readonly #runs: HeldRuns;
  readonly #exchange: StepExchange;
  readonly #keeper: LeaseKeeper;
  readonly #timing: ClaimTiming;
  readonly #loop: Loop;
  readonly #renewal: Loop;
  #claiming = true;
  #steppedAt = -Infinity;
  /** When there last was no job that has to begin at once, or such were asked for, in milliseconds of `performance.now()`. */
  #beginsAt = -Infinity;
  /**
   * Whether the storage works elsewhere, and has more to hand out: then runs and steps are worked at together, each with
   * half of what is held.
   */
  #overlaps = false;
  /** Answers that are gone into once the next step is on its way. */
  #untaken: Exchanged[] = [];
  /** When to ask for revoked runs, in milliseconds of `performance.now()`. */
  #revocationsAt = Infinity;
  #unclaimedToldAt = -Infinity;
  #settled: (() => void) | undefined;
  #broken = false;

  constructor(options: QueueWorkerOptions) {
    const { engine, host, slots, lease, prefetch } = options;
    const failed = (error: unknown): void => this.#fail(error);
    this.#options = options;
    this.engine = engine;
    this.outage = new Outage(engine.consumerLog, engine.name, () => {
      this.catchUp();
      options.connectionChanged();
    });
    this.#prefetch = prefetch === "adaptive" ? new AdaptivePrefetch() : new FixedPrefetch(prefetch);
    this.#timing = new ClaimTiming(engine.time);
    this.#runs = new HeldRuns(engine, host);
    this.#exchange = new StepExchange({
      engine,
      owner: host.owner,
      runs: this.#runs,
      outage: this.outage,
      refused: (error) => this.#refused(error),
    });
    this.dispatcher = new Dispatcher({
      engine,
      runs: this.#runs,
      slots,
      prefetch: this.#prefetch,
      exchange: this.#exchange,
      freshness: (lease * 2) / 3,
      changed: () => this.#loop.wake(),
      stale: () => this.#loop.wake(),
      failed,
    });
    const { dispatcher, outage } = this;
    this.#keeper = new LeaseKeeper({
      engine,
      owner: host.owner,
      lease,
      runs: this.#runs,
      dispatcher,
      outage,
    });
    this.#loop = new Loop(() => this.#tick(), engine.time.clock, failed);
    this.#renewal = new Loop(() => this.#keeper.tick(), engine.time.clock, failed);
  }

  start(): void {
    this.#loop.start();
    this.#renewal.start();
  }

  /** There may be something to claim. */
  lookForWork(): void {
    this.#timing.hear();
    this.#loop.wake();
  }

  /** Another process has written: most often that is a job, and nothing else is going on here. */
  #lookAtOnce(): void {
    this.#timing.hear();
    this.#loop.wakeAtOnce();
  }

  hear({ kind }: WatchHint): void {
    if (kind === "final") return;
    if (kind !== "ready") this.#askForRevocations();
    // What waits may be paused by now: it goes back, and the storage decides.
    if (kind === "control") this.dispatcher.release();
    if (kind === "any") this.#lookAtOnce();
    else this.lookForWork();
  }

  /** The event loop was blocked for long, or the storage went away or came back. */
  catchUp(): void {
    this.#renewal.wake();
    this.#loop.wake();
  }

  /** Claims no more, and hands back what has not begun. */
  stopClaiming(): void {
    this.#claiming = false;
    this.dispatcher.release();
    this.#loop.wake();
  }

  abort(reason: TaskqError): void {
    this.dispatcher.abort(reason);
  }

  interrupt(): void {
    this.dispatcher.interrupt();
    this.#loop.wake();
  }

  /** Resolves once everything that ended is settled, or nothing can be any more. */
  whenSettled(): Promise<void> {
    if (this.#broken) return Promise.resolve();
    return new Promise((resolve) => {
      this.#settled = resolve;
      this.#loop.wake();
    });
  }

  /** Does not wait for the pause between two attempts to reach a storage that is away. */
  retryNow(): void {
    this.outage.retryNow();
    this.#loop.wake();
  }

  /** Runs that ended and are not settled. */
  get unsettled(): number {
    return this.#runs.size;
  }

  async end(): Promise<void> {
    await Promise.all([this.#loop.stop(), this.#renewal.stop(), this.#exchange.whenAnswered()]);
    // Nothing rests on it, and a storage that is away is not waited for.
    if (!this.#broken && this.outage.connected) await this.#exchange.end().catch(() => {});
  }

  #fail(error: unknown): void {
    this.#broken = true;
    this.#settled?.();
    this.#options.failed(error);
  }

  async #tick(): Promise<Rest> {
    const pause = this.outage.pause();
    if (pause > 0) return this.#resting({ most: pause });
    if (this.#keeper.isDue && !(await this.#keeper.renew())) {
      return this.#resting({ most: this.outage.pause() });
    }
    this.#ask();
    this.#take();
    return this.#rest();
  }

  /** Sends a step, if there is anything to say or to ask for. */
  #ask(): void {
    if (this.#awaitsAnswer) return;
    const { underWay } = this.#exchange;
    const now = performance.now();
    const handedBack = this.#handBack(now);
    const { repeats, isOneByOne, wantsProbe, putsOffClaim } = this.#exchange;
    const isHeldBack = isOneByOne ? !wantsProbe : putsOffClaim;
    let claim = repeats || handedBack || isHeldBack ? undefined : this.#claim(now);
    if (isOneByOne && claim !== undefined)
      claim = claim.begin > 0 ? { ...claim, begin: 1, ahead: 0 } : undefined;
    if (underWay > 0 && claim === undefined && !repeats) return;
    const begun = repeats || isOneByOne ? [] : this.dispatcher.begun();
    if (claim === undefined && begun.length === 0 && this.#exchange.empty && now < this.#revocationsAt)
      return;
    this.#steppedAt = now;
    this.#revocationsAt = Infinity;
    this.#timing.asking();
    this.#exchange.send(claim, begun).then(this.#answered, this.#failed);
  }

  readonly #answered = (exchanged: Exchanged | undefined): void => {
    try {
      if (exchanged !== undefined) this.#learn(exchanged);
      if (this.#untaken.length > 0) this.#loop.wakeAtOnce();
      else this.#loop.wake();
    } catch (error) {
      this.#failed(error);
    }
  };

  readonly #failed = (error: unknown): void => {
    void this.#loop.stop();
    this.#fail(error);
  };

  #learn(exchanged: Exchanged): void {
    const { answer, claim, elsewhere } = exchanged;
    this.#timing.learn(claim, answer);
    if (claim !== undefined) this.lastClaimAt = Date.now();
    if (answer.passedOver === false) this.#beginsAt = performance.now();
    if (answer.unclaimed !== undefined) this.#tellUnclaimed(answer.unclaimed);
    if (claim !== undefined) this.#ahead.learn(claim, answer);
    this.#overlaps = elsewhere && this.#claiming && claim !== undefined && this.#ahead.goesOn(claim, answer);
    this.#untaken.push(exchanged);
    if (!this.#overlaps) this.#take();
  }

  #tellUnclaimed(error: TaskqError): void {
    const now = performance.now();
    if (now - this.#unclaimedToldAt < UNCLAIMED_TOLD_EVERY) return;
    this.#unclaimedToldAt = now;
    this.engine.consumerLog.warn(
      { queue: this.engine.name, error: String(error) },
      "the storage has no room for what jobs come to: what runs is ended, and no other begins",
    );
  }

  /** Goes into answers: what has ended is gone, what was claimed begins. */
  #take(): void {
    if (this.#untaken.length === 0) return;
    const untaken = this.#untaken;
    this.#untaken = [];
    for (const exchanged of untaken) this.#takeOne(exchanged);
    if (this.#claiming) return this.dispatcher.start();
    this.dispatcher.release();
    this.#loop.wake();
  }

  #takeOne(exchanged: Exchanged): void {
    const { answer, stamp } = exchanged;
    if (this.#exchange.take(exchanged)) this.#loop.wake();
    for (const { id } of answer.claimed) {
      // Claimed again by ourselves: the run we held before was taken away.
      const before = this.#runs.get(id);
      if (before !== undefined) this.dispatcher.lose(before);
    }
    this.dispatcher.add(answer.claimed.map((claimed) => this.#runs.add(claimed, stamp)));
    for (const reference of answer.revoked) this.dispatcher.revoke(reference);
  }

  /** A queue that moves to another storage hands out nothing more. */
  #refused(error: TaskqError): void {
    if (!this.#claiming) return;
    this.#claiming = false;
    this.#options.failed(error);
  }

  #claim(now: number): ClaimRequest | undefined {
    if (!this.#claiming) return undefined;
    if (this.outage.connected) this.#timing.look(now);
    else this.#timing.hear();
    const { isWanted } = this.#timing;
    if (!isWanted && !this.#exchange.hasEnded) return undefined;
    const { slots, lease } = this.#options;
    let taken = this.#exchange.asked;
    for (const { answer } of this.#untaken) taken += handedOut(answer);
    const free = this.dispatcher.reserve(isWanted) - taken;
    // Only what has ended makes room ahead, and what was claimed by halves.
    if (free <= 0 && !this.#exchange.hasEnded && taken === 0) return undefined;
    if (free > 0) this.#beginsAt = now;
    else if (now - this.#beginsAt >= ONLY_AHEAD) return undefined;
    const held = this.#ahead.of(this.#prefetch.next(slots.size));
    const half = Math.ceil((slots.size + held) / 2);
    const most = this.#overlaps && (held >= slots.size || this.#exchange.hasLanes) ? half : Infinity;
    const begin = Math.min(Math.max(0, free), most);
    const ahead = Math.max(0, Math.min(held - Math.max(0, -free), most - begin));
    const isExtra = this.#exchange.underWay > 0 || (!this.#exchange.hasEnded && free <= 0);
    if (begin + ahead < (isExtra ? half / 2 : 1)) return undefined;
    return { begin, ahead, lease, waits: this.#exchange.underWay === 0 };
  }

  /** Jobs claimed ahead do not wait behind handlers that run long: another consumer may have workers free. */
  #handBack(now: number): boolean {
    if (now < this.dispatcher.handBackAt) return false;
    this.dispatcher.release();
    this.#prefetch.stalled();
    return true;
  }

  /** Whether nothing is sent before an answer comes, which wakes the loop. */
  get #awaitsAnswer(): boolean {
    const { isFull, underWay } = this.#exchange;
    return isFull || (underWay > 0 && !this.#overlaps);
  }

  #askForRevocations(): void {
    if (this.dispatcher.running.size === 0) return;
    const at = Math.max(performance.now(), this.#steppedAt + REVOCATION_PAUSE);
    this.#revocationsAt = Math.min(this.#revocationsAt, at);
    this.#loop.wakeWithin(at - performance.now());
  }

  #rest(): Rest {
    if (this.#awaitsAnswer) return { most: Infinity };
    const now = performance.now();
    let until = Math.min(this.dispatcher.handBackAt, this.#revocationsAt);
    if (!this.#claiming) return this.#resting({ most: until - now });
    const canClaim = this.#timing.isWanted && this.#options.slots.free > 0;
    until = canClaim ? now : Math.min(until, this.#timing.nextLook);
    return this.#resting({ at: this.#timing.nextDue, most: until - now });
  }

  #resting(rest: Rest): Rest {
    this.#take();
    if (this.#exchange.underWay === 0) this.dispatcher.giveBack();
    if (this.#exchange.empty) this.#settled?.();
    return rest;
  }
}
