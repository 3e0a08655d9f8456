/** Starts the runs of one queue on free slots, and hands over what has ended. */
import { setImmediate } from "node:timers";
import { execute, reportLost, revokeRun, type Engine, type FinishedRun } from "@taskq/core/engine";
import { TaskqError, type RunReference, type SettledOutcome } from "@taskq/core/storage";
import { Bag } from "./bag.js";
import type { HeldRun } from "./held-run.js";
import type { HeldRuns } from "./held-runs.js";
import type { Prefetch } from "./prefetch.js";
import type { Slots, SlotUser } from "./slots.js";
import { ageOf } from "./stamp.js";
import type { StepExchange } from "./step-exchange.js";

/** How long runs may follow each other without letting timers and sockets have their turn, in milliseconds. */
const LONGEST_TURN = 10;

export interface DispatcherOptions {
  readonly engine: Engine;
  readonly runs: HeldRuns;
  readonly slots: Slots;
  readonly prefetch: Prefetch;
  readonly exchange: StepExchange;
  /** Nothing starts under a lease that was last vouched for longer ago, in milliseconds. */
  readonly freshness: number;
  /** Something has ended, or a slot was granted. */
  readonly changed: () => void;
  /** A lease is too old to start anything under it. */
  readonly stale: () => void;
  readonly failed: (error: unknown) => void;
}

export class Dispatcher implements SlotUser {
  readonly running: Bag<HeldRun> = new Bag();
  /** Names of the tasks that have begun since somebody last cleared this. */
  readonly recentTasks: Set<string> = new Set();
  readonly #options: DispatcherOptions;
  #waiting: HeldRun[] = [];
  #lastEnd = 0;
  /** Slots taken that no run uses yet. */
  #slotsInHand = 0;
  #turnBegan: number | undefined;
  #untold = false;
  /** Runs that began and were cancelled by their handler before the storage knew that they had: their end does not tell. */
  #cancelled: RunReference[] = [];
  #idle: (() => void) | undefined;

  constructor(options: DispatcherOptions) {
    this.#options = options;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** When those waiting are to be handed back, in milliseconds of `performance.now()`. */
  get handBackAt(): number {
    const [first] = this.#waiting;
    return first === undefined ? Infinity : this.#options.prefetch.handBackAt(first.heldSince, this.#lastEnd);
  }

  /** Takes every free slot for runs that are about to be claimed, and answers how many there are beyond those waiting. */
  reserve(wanted: boolean): number {
    const { slots } = this.#options;
    if (wanted || slots.free > 0) this.#slotsInHand += slots.take(this, slots.size);
    return this.#slotsInHand - this.#waiting.length;
  }

  /** Gives back the slots for which there is no run. */
  giveBack(): void {
    const superfluous = this.#slotsInHand - this.#waiting.length;
    if (superfluous <= 0) return;
    this.#slotsInHand -= superfluous;
    this.#options.slots.give(superfluous);
  }

  slotGranted(): void {
    this.#slotsInHand += 1;
    if (this.#waiting.length > 0) this.start();
    this.#options.changed();
  }

  add(claimed: readonly HeldRun[]): void {
    const now = performance.now();
    for (const held of claimed) held.heldSince = now;
    if (this.#waiting.length === 0) this.#waiting = [...claimed];
    else this.#waiting.push(...claimed);
  }

  /** Starts as many as there are slots for. */
  start(from: number = performance.now()): void {
    const { slots, freshness, stale } = this.#options;
    // Clocks are read once for each job: that is a good part of what starting one costs.
    for (let now = from; this.#waiting.length > 0; now = performance.now()) {
      if (this.#turnIsOver(now)) return;
      const [next] = this.#waiting;
      if (next === undefined) return;
      if (ageOf(next.vouched, now) >= freshness) return stale();
      if (this.#slotsInHand === 0) this.#slotsInHand = slots.take(this, 1);
      if (this.#slotsInHand === 0) return;
      this.#slotsInHand -= 1;
      this.#waiting.shift();
      this.#begin(next, now);
      // Waits in line for the next one, without a look at the clocks.
      if (this.#slotsInHand === 0 && slots.free === 0) return void slots.take(this, 1);
    }
  }

  /** Runs claimed ahead whose handler has begun and is not told to the storage yet. */
  begun(): readonly RunReference[] {
    if (!this.#untold) return [];
    this.#untold = false;
    const begun = this.#cancelled;
    this.#cancelled = [];
    for (const held of this.running) {
      if (held.told) continue;
      held.told = true;
      const { id, fence } = held.claimed;
      begun.push({ id, fence });
    }
    return begun;
  }

  /** Hands back, unbegun, what waits. */
  release(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const held of waiting) this.#options.exchange.add(held);
  }

  /** A user has revoked it. */
  revoke(reference: RunReference): void {
    const held = this.#options.runs.find(reference);
    if (held === undefined || held.state === "ended") return;
    revokeRun(held.run);
    if (held.state !== "waiting") return;
    // It ends without its handler, and so without a slot.
    this.#waiting = this.#waiting.filter((other) => other !== held);
    this.#end(held, { kind: "cancelled", reason: "revoked" });
    this.#options.changed();
  }

  /** It is somebody else's now. One that has ended is not: its settlement is under way and has its own answer. */
  lose(held: HeldRun): void {
    if (held.state === "ended" || held.state === "gone") return;
    const begun = held.state === "running";
    if (!begun) this.#waiting = this.#waiting.filter((other) => other !== held);
    this.#options.runs.remove(held);
    if (!begun) return;
    held.run.isOver = true;
    reportLost(held.run);
    held.run.aborting.abort(
      new TaskqError("TASKQ_LEASE_LOST", "the lease ran out, and the job may be another consumer's by now"),
    );
  }

  abort(reason: TaskqError): void {
    for (const held of this.running) held.run.aborting.abort(reason);
  }

  /** Settles as interrupted what still runs; what the handlers do from now on is nobody's. */
  interrupt(): void {
    for (const held of this.running) {
      if (held.state === "running") this.#end(held, { kind: "interrupted" });
    }
    this.running.clear();
  }

  /** Resolves once no handler runs. */
  whenIdle(): Promise<void> {
    if (this.running.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#idle = resolve;
    });
  }

  /** Ends a run without, or against, its handler. */
  #end(held: HeldRun, outcome: SettledOutcome): void {
    const { engine, exchange } = this.#options;
    const { id, fence } = held.claimed;
    const endedAt = engine.time.now();
    held.run.isOver = true;
    const startedAt = held.run.startedAt === 0 ? endedAt : held.run.startedAt;
    const settlement = { id, fence, startedAt, outcome, add: undefined };
    held.finished = { run: held.run, settlement, endedAt, error: undefined, timeoutMs: undefined };
    exchange.add(held);
  }

  #begin(held: HeldRun, now: number): void {
    held.state = "running";
    held.beganAt = now;
    if (!held.told) this.#untold = true;
    this.running.add(held);
    this.recentTasks.add(held.claimed.task);
    execute(held.run, (finished) => this.#ended(held, finished));
  }

  #ended(held: HeldRun, finished: FinishedRun): void {
    try {
      const { prefetch, exchange, changed } = this.#options;
      const now = performance.now();
      this.#lastEnd = now;
      this.running.delete(held);
      if (held.state === "running") {
        prefetch.ended(now - held.beganAt);
        held.finished = finished;
        if (!held.told && isCancelledByHandler(finished)) {
          const { id, fence } = held.claimed;
          this.#cancelled.push({ id, fence });
        }
        exchange.add(held);
      }
      changed();
      this.#reuseSlot(now);
      if (this.running.size === 0) this.#idle?.();
    } catch (error) {
      this.#options.failed(error);
    }
  }

  /** The next of those waiting starts at once, unless another queue waits for a slot. */
  #reuseSlot(now: number): void {
    const { slots } = this.#options;
    if (this.#waiting.length === 0 || slots.isWantedBesides(this)) return slots.give(1);
    this.#slotsInHand += 1;
    this.start(now);
  }

  /** Also begins a turn. */
  #turnIsOver(now: number): boolean {
    if (this.#turnBegan !== undefined) return now - this.#turnBegan > LONGEST_TURN;
    this.#turnBegan = now;
    setImmediate(this.#nextTurn);
    return false;
  }

  readonly #nextTurn = (): void => {
    this.#turnBegan = undefined;
    if (this.#waiting.length === 0) return;
    try {
      this.start();
    } catch (error) {
      this.#options.failed(error);
    }
  };
}

function isCancelledByHandler({ run, settlement }: FinishedRun): boolean {
  return run.hasEnded && settlement.outcome.kind === "cancelled";
}
