/** `queue.lock`, `queue.semaphore` and `queue.locks`. */
import { setImmediate } from "node:timers";
import { milliseconds } from "../duration.js";
import { TaskqError } from "../errors.js";
import { abortSignal, callable, integer, oneOf, refuseUnknown, shortText, unexpected } from "../options.js";
import { sleep } from "../sleep.js";
import type { KeysAnswer } from "../storage.js";
import { LONGEST_TIMER, startTimer } from "../timer.js";
import type { HeldLock, Lock, LockOptions, Locks, SemaphoreOptions } from "../vocabulary/locks.js";
import type { Engine } from "./engine-types.js";
import { errorText } from "./failure.js";
import { patiently, type Patience } from "./patience.js";
import { storedName } from "./stored-name.js";

const LONGEST_NAME = 255;
/** How often a waiting asker looks again when it hears nothing, in milliseconds. */
const LOOK_AGAIN = 250;
/** How long a place in the line outlives an asker that died, in milliseconds. */
const PLACE_KEPT = 5_000;
/** How long somebody who gives up waits until his place is given back, in milliseconds: a storage that is away is not waited for. */
const LONGEST_LEAVING = 250;

export function createLock(
  engine: Engine,
  name: string,
  options: LockOptions & Partial<SemaphoreOptions> = {},
  semaphore: boolean = false,
): Lock {
  const what = semaphore ? "semaphore" : "lock";
  refuseUnknown(options, ["ttl", "onBusy", "timeout", "signal", ...(semaphore ? ["max"] : [])], what);
  const { ttl = "30s", onBusy = "wait" } = options;
  const request: LockRequest = {
    name: checkedName(name, what),
    max: semaphore ? integer(options.max, "semaphore max", { min: 1 }) : 1,
    ttl: milliseconds(ttl, `${what} ttl`),
    wait: oneOf(onBusy, ["wait", "fail"], `${what} onBusy`) === "wait",
    timeout: options.timeout === undefined ? undefined : milliseconds(options.timeout, `${what} timeout`),
    signal: abortSignal(options.signal, `${what} signal`),
  };
  if (request.ttl < 100)
    throw unexpected(`${what} ttl`, "at least 100 ms, since it is renewed while held", options.ttl);
  return {
    acquire: () => acquire(engine, request),
    async run<T>(work: (held: HeldLock) => T): Promise<Awaited<T>> {
      callable(work, `${what} run`);
      const held = await acquire(engine, request);
      try {
        const output: Awaited<T> = await work(held);
        return output;
      } finally {
        await giveBack(engine, held);
      }
    },
  };
}

interface LockRequest {
  readonly name: string;
  readonly max: number;
  readonly ttl: number;
  readonly wait: boolean;
  readonly timeout: number | undefined;
  readonly signal: AbortSignal | undefined;
}

function acquire(engine: Engine, request: LockRequest): Promise<TakenLock> {
  return patiently(
    engine,
    request,
    () => late(request),
    (patience) => acquireIn(engine, request, patience),
  );
}

async function acquireIn(engine: Engine, request: LockRequest, patience: Patience): Promise<TakenLock> {
  const ticket = engine.makeId(engine.time.now());
  let asked: Promise<unknown> = Promise.resolve();
  let heard = false;
  let wake: (() => void) | undefined;
  const stop = engine.storage.watch(engine.name, () => {
    heard = true;
    wake?.();
  });
  try {
    for (;;) {
      // Its storage may go on without it, for other queues.
      engine.assertOpen();
      heard = false;
      let heldUntil = inTime(request.ttl);
      const asking = ask(engine, request, ticket);
      asked = asking;
      const answer = await patience.of(asking);
      if (answer.status === "held") {
        let status: KeysAnswer["status"] = answer.status;
        // A process that stood still before it read the answer has less left than it asked for, perhaps less than until the first renewal.
        if (leftUntil(heldUntil) <= (request.ttl * 2) / 3) {
          heldUntil = inTime(request.ttl);
          const renewing = renew(engine, request, ticket);
          asked = renewing;
          ({ status } = await patience.of(renewing));
        }
        if (status === "held")
          return new TakenLock(engine, request, ticket, { fence: answer.fence, heldUntil });
        continue;
      }
      if (!request.wait) throw locked(request.name, "is held");
      if (request.signal?.aborted === true) throw request.signal.reason;
      const { left } = patience;
      if (left <= 0) throw late(request);
      if (heard) continue;
      const since = performance.now();
      await Promise.race([
        sleep(Math.min(left, LOOK_AGAIN), request.signal),
        new Promise<void>((resolve) => (wake = resolve)),
      ]);
      // Virtual time goes on while a handler waits: a holder that has died would hold it for ever, and one that lives renews.
      engine.time.pass?.(engine.time.now() + Math.ceil(performance.now() - since));
    }
  } catch (error) {
    // What was asked last may still be granted.
    const answered = asked.catch(() => {});
    const left = new AbortController();
    void answered.then(() => leave(engine, request.name, ticket)).then(() => left.abort());
    await sleep(LONGEST_LEAVING, left.signal);
    throw error;
  } finally {
    stop();
  }
}

/** What was done under the lock counts, whatever becomes of the lock: one that cannot be given back lapses. */
async function giveBack(engine: Engine, held: TakenLock): Promise<void> {
  try {
    await held[Symbol.asyncDispose]();
  } catch (error) {
    engine.logger.warn(
      { queue: engine.name, lock: held.name, error: errorText(error) },
      "a lock could not be given back: it is held until its time to live is over",
    );
  }
}

function ask(engine: Engine, request: LockRequest, ticket: string): Promise<KeysAnswer> {
  return engine.storage.keys({
    queue: engine.name,
    kind: "acquire",
    name: storedName(engine, request.name),
    ticket,
    owner: `${process.pid}`,
    max: request.max,
    ttl: request.ttl,
    wait: request.wait ? PLACE_KEPT : undefined,
    now: engine.time.requestNow(),
  });
}

function renew(
  engine: Engine,
  { name, ttl }: Pick<LockRequest, "name" | "ttl">,
  ticket: string,
): Promise<KeysAnswer> {
  return engine.storage.keys({
    queue: engine.name,
    kind: "renew",
    name: storedName(engine, name),
    ticket,
    ttl,
    now: engine.time.requestNow(),
  });
}

/** A place that is not given back is kept from the others until it lapses. Rejects never. */
async function leave(engine: Engine, name: string, ticket: string): Promise<void> {
  const release = {
    queue: engine.name,
    kind: "release",
    name: storedName(engine, name),
    ticket,
    now: engine.time.requestNow(),
  } as const;
  try {
    const { status } = await engine.storage.keys(release);
    if (status === "released") await engine.runInline?.();
  } catch {
    // Why it is left is what its asker is told.
  }
}

class TakenLock implements HeldLock {
  readonly name: string;
  readonly fence: number;
  readonly #engine: Engine;
  readonly #ticket: string;
  readonly #ttl: number;
  readonly #lost = new AbortController();
  readonly #timer: NodeJS.Timeout;
  #lapse: NodeJS.Timeout | undefined;
  #heldUntil: Until;
  #released = false;

  constructor(engine: Engine, { name, ttl }: LockRequest, ticket: string, { fence, heldUntil }: Held) {
    this.#engine = engine;
    this.name = name;
    this.#ticket = ticket;
    this.#ttl = ttl;
    this.fence = fence ?? 0;
    this.#heldUntil = heldUntil;
    this.#awaitLapse();
    this.#timer = setInterval(() => void this.#renew(), intervalOf(ttl)).unref();
  }

  get signal(): AbortSignal {
    return this.#lost.signal;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#released) return;
    this.#released = true;
    this.#stopTimers();
    await this.#engine.storage.keys({
      queue: this.#engine.name,
      kind: "release",
      name: storedName(this.#engine, this.name),
      ticket: this.#ticket,
      now: this.#engine.time.requestNow(),
    });
    await this.#engine.runInline?.();
  }

  async #renew(): Promise<void> {
    const heldUntil = inTime(this.#ttl);
    try {
      const { status } = await renew(this.#engine, { name: this.name, ttl: this.#ttl }, this.#ticket);
      if (status !== "held") return this.#lose();
      this.#heldUntil = heldUntil;
      if (!this.#released && !this.signal.aborted) this.#awaitLapse();
    } catch {
      this.#loseIfLapsed();
    }
  }

  /** A storage that is away has a time of its own for each call, which may be longer than this one. */
  #awaitLapse(): void {
    clearTimeout(this.#lapse);
    const left = Math.max(0, this.#heldUntil.monotonic - performance.now());
    // What has been answered meanwhile is heard first: the process may have stood still.
    const look = (): void => void setImmediate(() => this.#loseIfLapsed());
    // A timer may fire a moment early.
    this.#lapse = startTimer(look, Math.ceil(left) + 1).unref();
  }

  /** A storage that is away for longer than the time to live has given the lock to somebody else. */
  #loseIfLapsed(): void {
    if (leftUntil(this.#heldUntil) <= 0) this.#lose();
  }

  #stopTimers(): void {
    clearInterval(this.#timer);
    clearTimeout(this.#lapse);
  }

  #lose(): void {
    this.#stopTimers();
    if (!this.#released)
      this.#lost.abort(new TaskqError("TASKQ_LEASE_LOST", `the lock '${this.name}' was lost`));
  }
}

/**
 * Until when it is held for sure, counted from when that was asked for, whatever the storage's clock says: by the monotonic clock, and
 * by the wall's. A machine that sleeps stops the one, and the other may be set back.
 */
interface Until {
  readonly monotonic: number;
  readonly wall: number;
}

interface Held {
  readonly fence: number | undefined;
  readonly heldUntil: Until;
}

function inTime(ttl: number): Until {
  return { monotonic: performance.now() + ttl, wall: Date.now() + ttl };
}

/** Milliseconds, none or less once it is over. */
function leftUntil({ monotonic, wall }: Until): number {
  return Math.min(monotonic - performance.now(), wall - Date.now());
}

/** How often a lock is renewed, in milliseconds. */
function intervalOf(ttl: number): number {
  return Math.min(Math.max(10, Math.floor(ttl / 3)), LONGEST_TIMER);
}

export function createLocks(engine: Engine): Locks {
  const ready = async (): Promise<void> => {
    const opening = engine.open();
    if (opening !== undefined) await opening;
  };
  return {
    async inspect(name) {
      await ready();
      const { holders } = await engine.storage.keys({
        queue: engine.name,
        kind: "inspect",
        name: storedName(engine, checkedName(name, "lock")),
        now: engine.time.requestNow(),
      });
      if (holders.length === 0) return undefined;
      return {
        name,
        holders: holders.map(({ owner, fence, expiresAt }) => ({
          owner,
          fence,
          expiresAt: new Date(expiresAt),
        })),
      };
    },
    async release(name) {
      await ready();
      const { status } = await engine.storage.keys({
        queue: engine.name,
        kind: "release",
        name: storedName(engine, checkedName(name, "lock")),
        ticket: undefined,
        now: engine.time.requestNow(),
      });
      if (status !== "released") return false;
      await engine.runInline?.();
      return true;
    },
  };
}

function checkedName(name: string, what: string): string {
  return shortText(name, LONGEST_NAME, `${what} name`);
}

function late({ name, timeout }: LockRequest): TaskqError {
  return locked(name, `was not free within ${timeout} ms`);
}

function locked(name: string, why: string): TaskqError {
  return new TaskqError("TASKQ_LOCKED", `the lock '${name}' ${why}`);
}
