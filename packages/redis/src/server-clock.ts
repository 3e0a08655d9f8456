import { setTimeout as sleep } from "node:timers/promises";
import { systemClock, type StorageContract } from "@taskq/core/storage";

type Clock = StorageContract["clock"];

/** How old what is known of the server's time may become while it is used, in milliseconds. */
const KEPT = 10_000;
/** How far the clocks of this machine may part before it is asked for, in milliseconds: it slept, or one was set. */
const PARTED = 1_000;
/** How often that is looked at while it is used, in milliseconds. */
const LOOK = 1_000;
/** How often it is asked at first: one answer may have been read late. */
const FIRST_LOOKS = 3;
/** By how much what is known of it must be wrong to be asked for again at once, in milliseconds. */
const WRONG = 1_000;

/**
 * The time of a server: its scripts go by it, and the clock of this machine may be wrong, or be set. Told from the time
 * that passes here since it was asked, as it was at the least: never ahead, and behind by no more than an answer took.
 */
export class ServerClock implements Clock {
  readonly #ask: () => Promise<number>;
  /** What it is ahead of `performance.now()`; `undefined`: it has not been told. */
  #ahead: number | undefined;
  /** When it was last asked for, by `performance.now()`. */
  #askedAt = 0;
  /** When to look whether to ask again; never before a queue is opened. */
  #lookAt = Infinity;
  /** What the wall clock of this machine was ahead of `performance.now()` then. */
  #wall = 0;
  #asking: Promise<void> | undefined;

  /** @param ask the server for its time, in milliseconds and fractions of them */
  constructor(ask: () => Promise<number>) {
    this.#ask = ask;
  }

  now(): number {
    const monotonic = performance.now();
    if (monotonic >= this.#lookAt) this.#doubt(monotonic);
    return this.#ahead === undefined ? systemClock.now() : Math.floor(monotonic + this.#ahead);
  }

  async until(instant: number, signal?: AbortSignal): Promise<void> {
    for (let left = instant - this.now(); left > 0; left = instant - this.now()) {
      if (signal?.aborted === true) return;
      // Asked again: what is known of the time may be mended meanwhile.
      await sleep(Math.min(Math.ceil(left), KEPT), undefined, { signal }).catch(() => {});
    }
  }

  /** Resolves once it is known, or cannot be told. */
  async open(): Promise<void> {
    if (this.#ahead !== undefined) return;
    for (let looks = 0; looks < FIRST_LOOKS; looks += 1) {
      await this.#look();
      if (this.#ahead === undefined) return;
    }
  }

  /** It may be another server, or its clock may have been set. Resolves once it has answered, or cannot. */
  async askAgain(): Promise<void> {
    if (this.#lookAt < Infinity) await this.#look();
  }

  /** The server told this time, some time after `since` by this clock. */
  compare(time: number, since: number): void {
    if (time < since - WRONG || time > this.now() + WRONG) void this.askAgain();
  }

  /** The server still awaits this instant. */
  awaits(instant: number): void {
    if (instant < this.now() - WRONG) void this.askAgain();
  }

  #doubt(monotonic: number): void {
    this.#lookAt = monotonic + LOOK;
    const parted = Math.abs(systemClock.now() - monotonic - this.#wall);
    if (monotonic - this.#askedAt > KEPT || parted > PARTED) void this.askAgain();
  }

  #look(): Promise<void> {
    return (this.#asking ??= this.#learn().finally(() => {
      this.#asking = undefined;
    }));
  }

  async #learn(): Promise<void> {
    const sent = performance.now();
    this.#askedAt = sent;
    this.#lookAt = sent + LOOK;
    this.#wall = systemClock.now() - sent;
    try {
      const time = await this.#ask();
      if (!Number.isFinite(time)) return;
      // It was read after this was sent, and before the answer was read: what was known may stand, if it lies between.
      const least = time - performance.now();
      this.#ahead = Math.min(Math.max(this.#ahead ?? least, least), time - sent);
    } catch {
      // A server that is away is asked again; where it may not be asked, its scripts may not either.
    }
  }
}
