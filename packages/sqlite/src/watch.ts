import { setImmediate } from "node:timers";
import type { WatchHint } from "@taskq/core/storage";
import type { Connection } from "./connection.js";
import { LogWatch } from "./log-watch.js";

/** Milliseconds between two looks at the file, should the system have told nothing. */
const POLL = 500;
/** The same where it does not tell, or tells too late: a look takes microseconds. */
const POLL_UNTOLD = 25;
/** How long after a write can be seen the system may still tell of it, in milliseconds: it tells when it is written. */
const TOLD_WITHIN = 100;
/** Writes that were found before the system told of them, after which it is not relied on. */
const UNTOLD = 2;
/**
 * Pauses between looks after the system has told of a write, in milliseconds. It tells when the log is written, and that
 * is before the commit can be seen: a look at once may come too early. The long ones are for commits that wait for a disk.
 */
const LOOK_AGAIN = [1, 2, 5, 10, 20, 40, 80, 160];
/** With which of them it begins where a write has been seen already. */
const LOOK_AGAIN_BEHIND = 2;
/** From which on a pause is too long for whatever is told meanwhile. */
const LONG_PAUSES = 5;
/**
 * Looks before those, one each turn of the event loop: most commits can be seen by then. Half as many each time that what
 * was seen was of no use, as it mostly is where several consumers hear of each job that one of them gets.
 */
const LOOKS_AT_ONCE = 120;
/** Milliseconds for which claims have followed each other, each leaving more to claim, before the system is let go. */
const BUSY_FOR = 20;
/** Milliseconds between two claims that still follow each other. */
const BUSY_STILL = 200;
/** Milliseconds between two looks meanwhile. */
const LOOK_WHILE_BUSY = 5;

/** No version of a file. */
const UNKNOWN = -1;

const ANY: WatchHint = { kind: "any" };

export interface FileWatchOptions {
  readonly connection: Connection;
  /** Somebody else has written. */
  readonly changed: (hint: WatchHint) => void;
  /** Throws when the file is no longer ours. */
  readonly look: () => void;
}

/**
 * Notices what other processes and connections write, while somebody wants to know: the system tells of changes to the
 * log, and SQLite's data version says whether they were ours.
 *
 * Whoever claims and claims needs no telling, and several who do would be woken by each page that another one writes, in
 * the midst of its commit. So the system is not listened to for as long as that goes on: a look every few milliseconds is
 * enough.
 */
export class FileWatch {
  private readonly options: FileWatchOptions;
  private readonly log: LogWatch;
  private users = 0;
  private version = 0;
  private timer: NodeJS.Timeout | undefined;
  /** Set while the system is not relied on. */
  private often: NodeJS.Timeout | undefined;
  private toldAt = 0;
  /** Windows tells of a write once it reaches the disk, which may take seconds. */
  private untold = process.platform === "win32" ? UNTOLD : 0;
  private again: NodeJS.Timeout | undefined;
  private looksAgain = 0;
  /** Set until what was seen is dealt with: then it is looked again. */
  private looksBehind = false;
  private looksAtOnce = 0;
  private patience = LOOKS_AT_ONCE;
  /** Turns of the event loop in which what is told is most likely known. */
  private knownFor = 0;
  private busySince = 0;
  private busyUntil = 0;
  /** Set while the system is not listened to. */
  private busy: NodeJS.Timeout | undefined;

  constructor(options: FileWatchOptions) {
    this.options = options;
    const instead = `looked at every ${POLL_UNTOLD} ms for what other processes write`;
    this.log = new LogWatch({ path: options.connection.path, told: () => this.told(), instead });
  }

  /** Begins, or goes on, until as many have stopped as have started. */
  start(): void {
    this.users += 1;
    if (this.users > 1) return;
    this.timer = setInterval(() => this.poll(), POLL).unref();
    this.listen();
    // After that: a write between the two would be found by the poll, and the system be blamed for not telling of it.
    this.version = this.versionAtStart();
  }

  private listen(): void {
    this.log.listen();
    this.pollAsOftenAsNeeded();
  }

  /** Where it cannot be read just now, as while another process mends the log, the first look finds a change. */
  private versionAtStart(): number {
    try {
      return this.options.connection.dataVersion();
    } catch {
      return UNKNOWN;
    }
  }

  stop(): void {
    this.users -= 1;
    if (this.users === 0) this.end();
  }

  end(): void {
    this.users = 0;
    clearInterval(this.timer);
    clearInterval(this.busy);
    this.busy = undefined;
    this.letGo();
  }

  /** This connection has written: what the system tells next is most likely that. */
  wrote(): void {
    if (this.log.isListening) this.isKnown();
  }

  /** What has been written until now: it is told in this turn of the event loop, or in the next one. */
  private isKnown(): void {
    if (this.knownFor === 0) setImmediate(this.turned);
    this.knownFor = 2;
  }

  private readonly turned = (): void => {
    this.knownFor -= 1;
    if (this.knownFor > 0) setImmediate(this.turned);
    if (!this.looksBehind) return;
    this.looksBehind = false;
    if (this.users > 0 && this.busy === undefined) this.lookAgain();
  };

  /** Somebody has looked for what others have written, or found it. */
  wasOfUse(): void {
    this.patience = LOOKS_AT_ONCE;
  }

  /** This connection has claimed, and found more than it wanted, or not. */
  claimed(more: boolean): void {
    const now = performance.now();
    if (!more) {
      this.busyUntil = 0;
      if (this.busy !== undefined) this.listenAgain();
      return;
    }
    if (now > this.busyUntil) this.busySince = now;
    this.busyUntil = now + BUSY_STILL;
    if (this.busy === undefined && this.users > 0 && now - this.busySince > BUSY_FOR) this.beBusy();
  }

  private beBusy(): void {
    this.letGo();
    this.looksAtOnce = 0;
    this.busy = setInterval(() => {
      if (performance.now() > this.busyUntil) this.listenAgain();
      else this.look();
    }, LOOK_WHILE_BUSY).unref();
  }

  private listenAgain(): void {
    clearInterval(this.busy);
    this.busy = undefined;
    this.listen();
    // After that, so that nothing is written between the two.
    this.look();
  }

  private letGo(): void {
    clearTimeout(this.again);
    this.again = undefined;
    clearInterval(this.often);
    this.often = undefined;
    this.log.letGo();
  }

  private pollAsOftenAsNeeded(): void {
    const isNeeded = this.users > 0 && this.busy === undefined && !this.systemTells;
    if (isNeeded === (this.often !== undefined)) return;
    clearInterval(this.often);
    this.often = isNeeded ? setInterval(() => this.look(), POLL_UNTOLD).unref() : undefined;
  }

  private get systemTells(): boolean {
    return this.log.isListening && this.untold < UNTOLD;
  }

  private told(): void {
    this.toldAt = performance.now();
    const isSeen = this.knownFor === 0 && this.look();
    this.endLongPause();
    if (isSeen) {
      // Another write may have come right behind it, told of by the same event; that is seldom.
      this.looksAgain = LOOK_AGAIN_BEHIND;
      this.looksBehind = true;
      return;
    }
    this.looksAgain = 0;
    // Even if it is known: as above.
    const looks = this.knownFor > 0 ? 1 : this.patience;
    if (this.looksAtOnce === 0) this.lookAtOnce(looks);
    else this.looksAtOnce = Math.max(looks, this.looksAtOnce);
  }

  private lookAtOnce(times: number): void {
    this.looksAtOnce = times;
    // Not unreferenced: the event loop would then wait for something else before it runs this.
    setImmediate(() => {
      if (this.busy !== undefined || this.look()) this.looksAtOnce = 0;
      else if (this.looksAtOnce > 1) this.lookAtOnce(this.looksAtOnce - 1);
      else {
        this.looksAtOnce = 0;
        this.lookAgain();
      }
    });
  }

  private lookAgain(): void {
    const pause = LOOK_AGAIN[this.looksAgain];
    if (this.again !== undefined || pause === undefined) return;
    this.again = setTimeout(() => {
      this.again = undefined;
      this.looksAgain += 1;
      if (!this.look()) this.lookAgain();
    }, pause).unref();
  }

  private endLongPause(): void {
    if (this.again === undefined || this.looksAgain < LONG_PAUSES) return;
    clearTimeout(this.again);
    this.again = undefined;
  }

  private poll(): void {
    try {
      this.options.look();
    } catch {
      // Whoever writes or reads next is told what has become of the file.
      this.options.changed(ANY);
      return;
    }
    this.log.tryAgain();
    if (this.look() && this.systemTells) this.doubt();
    this.pollAsOftenAsNeeded();
  }

  /** A change was found by chance: the system should have told of it since the last look, or do so at once. */
  private doubt(): void {
    const lookedAt = performance.now() - POLL;
    setTimeout(() => {
      if (this.toldAt < lookedAt && this.log.isListening) this.untold += 1;
      this.pollAsOftenAsNeeded();
    }, TOLD_WITHIN).unref();
  }

  /** Answers whether somebody else had written. */
  private look(): boolean {
    const { connection } = this.options;
    if (this.users === 0 || !connection.driver.open || connection.driver.inTransaction) return false;
    try {
      const version = connection.dataVersion();
      if (version === this.version) return false;
      this.version = version;
      this.patience = Math.max(1, this.patience >> 1);
      this.isKnown();
    } catch {
      return false;
    }
    this.options.changed(ANY);
    return true;
  }
}
