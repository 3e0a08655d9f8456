/**
 * Claims that found nothing, and wait at the server: whoever stores a job there hands it to one of them, and publishes it to this process alone
 * (`lua/short/hand.ts`, decisions/redis-waiting.md). What comes so is kept here until the owner asks, which it is hinted to do.
 *
 * - Each claim waits under a number of its own, between that of its step and the next one's. The next step takes it back, and learns if it is
 *   gone because a job has come for it: then the next one that claims asks under this number, under which the server answers it again.
 * - So nothing rests on what is published. What nobody takes within a moment is given back, unbegun.
 */
import { randomBytes } from "node:crypto";
import type { ClaimedJob, RunReference, StepAnswer, StepRequest } from "@taskq/core/storage";
import { joined } from "./joined-tasks.js";
import { pack } from "./wire/pack.js";
import { claimedRows } from "./wire/rows.js";
import { Reader } from "./wire/unpack.js";

/** Steps that settle more are of an owner who has much to do. */
const FEW = 2;
/** An owner that has had nothing to do for so long leaves nothing, and so writes nothing, in milliseconds. */
const ACTIVE = 1_500;
/** How long a job that has come is kept for its owner, in milliseconds. */
const KEPT = 50;
/** The most of its lease that may have gone by when it is handed out, and the most milliseconds. */
const FRESH = 0.1;
const FRESHEST = 500;
/** Of so many claims is known that they were handed out. */
const FENCES = 128;
const NONE = Buffer.alloc(0);

/** A claim that waits, as the server has it. */
export interface WaitingClaim {
  readonly number: number;
  readonly lease: number;
  /** Its member among those that wait. */
  readonly member: Buffer;
}

/** What is published of a job. */
interface Told {
  readonly word: string;
  readonly owner: string;
  /** Of the claim that waited. */
  readonly number: number;
  readonly fence: number;
  /** When it was handed over, by the clock of the server. */
  readonly at: number;
  readonly row: Buffer;
}

interface Leased {
  /** In milliseconds. */
  readonly lease: number;
}

/** A job that has come. */
interface Handed extends Told, Leased {
  timer: NodeJS.Timeout;
}

interface Owner {
  readonly name: string;
  /** When it last settled something, by `performance.now()`. */
  workedAt: number;
  /** The last one that was sent; an answer may not have come. */
  sent: WaitingClaim | undefined;
  /** It, where it is known to have been left, or to be gone. */
  left: WaitingClaim | undefined;
  handed: Handed | undefined;
  /** Whether a step is on its way. */
  isAsking: boolean;
  givingBack: Promise<void> | undefined;
  /** Whether a job has come for it of which nothing was heard: a step without a claim, which is not told of it, has found it gone. */
  isGone: boolean;
  /** Of the last claims that were handed out here, and that steps were told of the long way, as are those that are answered again. */
  readonly fences: Set<number>;
  /** A step that found its claim gone, and the number of that, under which it asks. */
  asks: { readonly request: number; readonly number: number; readonly lease: number } | undefined;
}

export interface WaitingOptions {
  /** Where this process is to hear of them. */
  readonly channel: string;
  /** Whether it does, as far as can be known; begins to listen. */
  readonly hears: () => boolean;
  /** The time of the server. */
  readonly now: () => number;
  /** A job has come, and its owner is to ask. */
  readonly hint: () => void;
  /** Gives back a run, if it can. */
  readonly release: (owner: string, run: RunReference) => Promise<void>;
}

/** See the head of this file. */
export class WaitingClaims {
  readonly #options: WaitingOptions;
  /** Anybody may publish; this is known only to who may read the keys. */
  readonly #word = randomBytes(12).toString("hex");
  readonly #owners = new Map<string, Owner>();

  constructor(options: WaitingOptions) {
    this.#options = options;
  }

  /** What a step is to leave if it claims nothing. */
  next(request: StepRequest): WaitingClaim | undefined {
    const { claim, owner, lane = 0, tasks, now, settled } = request;
    if (claim?.waits !== true || claim.begin < 1 || lane !== 0 || now !== undefined) return undefined;
    if (settled.length > FEW || !this.#options.hears()) return undefined;
    const known = this.#ownerOf(owner);
    const time = performance.now();
    if (settled.length > 0) known.workedAt = time;
    if (time - known.workedAt > ACTIVE) return undefined;
    const { lease } = claim;
    const number = request.request + 0.5;
    const member = pack([this.#options.channel, this.#word, owner, owner, number, lease, joined(tasks)]);
    const next = { number, lease, member };
    known.sent = next;
    return next;
  }

  /** A step is on its way, until it is `answered` or has failed. Answers what waits for its owner, which it takes back. */
  asking(request: StepRequest): WaitingClaim | undefined {
    const known = this.#asker(request);
    if (known === undefined) return undefined;
    known.isAsking = true;
    return known.left;
  }

  failed(request: StepRequest): void {
    const known = this.#asker(request);
    if (known !== undefined) known.isAsking = false;
  }

  /** What is given back, before which its owner asks nothing: it would be told of it again. */
  givingBack({ owner }: StepRequest): Promise<void> | undefined {
    return this.#owners.get(owner)?.givingBack;
  }

  /** What this step took back was gone: a job has come for it. Answers the number under which it is to ask. */
  gone(request: StepRequest, left: WaitingClaim): number {
    const known = this.#ownerOf(request.owner);
    known.isGone = request.claim === undefined && known.left === left;
    if (request.claim !== undefined) {
      known.left = undefined;
      known.asks = { ...left, request: request.request };
    }
    return this.numberOf(request);
  }

  /** The number under which a step asks, also if it is repeated. */
  numberOf(step: StepRequest): number {
    const asks = this.#asker(step)?.asks;
    return asks?.request === step.request ? asks.number : step.request;
  }

  /** A step was answered. @param waits what it has left waiting */
  answered(request: StepRequest, waits: WaitingClaim | undefined): void {
    const known = this.#asker(request);
    if (known === undefined) return;
    known.isAsking = false;
    // The next step that claims asks for it.
    if (known.isGone && request.claim === undefined) return;
    known.isGone = false;
    // A job may have come before the answer.
    known.left = known.sent === waits ? waits : undefined;
  }

  /** A step was told of jobs, perhaps also of the one that has come. */
  told(request: StepRequest, claimed: StepAnswer["claimed"]): void {
    const known = this.#asker(request);
    if (known === undefined) return;
    for (const { fence } of claimed) {
      remember(known, fence);
      if (known.handed?.fence === fence) this.#drop(known);
    }
  }

  /** Whether a job has come that this step may begin. */
  has(request: StepRequest): boolean {
    const { claim } = request;
    if (claim === undefined || claim.begin < 1 || claim.ids !== undefined) return false;
    return this.#asker(request)?.handed !== undefined;
  }

  /** It, unless it is too late for it. */
  take({ owner }: StepRequest): ClaimedJob | undefined {
    const known = this.#owners.get(owner);
    const handed = known?.handed;
    if (known === undefined || handed === undefined) return undefined;
    this.#drop(known);
    const age = this.#options.now() - handed.at;
    if (Math.abs(age) > Math.min(handed.lease * FRESH, FRESHEST)) {
      void this.#giveBack(known, handed);
      return undefined;
    }
    return jobOf(handed);
  }

  /** What is published to this process; anything else is nothing. */
  hear(message: Buffer): void {
    const told = toldBy(message);
    if (told === undefined || told.word !== this.#word) return;
    const known = this.#owners.get(told.owner);
    if (known === undefined || known.fences.has(told.fence)) return;
    const { sent, left, asks, isAsking, handed } = known;
    // A step on its way is told of what it takes back, unless the server does not know any more whose it is.
    const claim = [sent, left, isAsking ? asks : undefined].find((one) => one?.number === told.number);
    // A copy of an older step, carried out late, has left a claim.
    if (claim === undefined || handed !== undefined) return void this.#giveBack(known, { ...told, lease: 0 });
    remember(known, told.fence);
    if (claim === sent) known.sent = undefined;
    if (claim === left) [known.left, known.isGone] = [undefined, false];
    known.handed = { ...told, lease: claim.lease, timer: this.#later(known) };
    this.#options.hint();
  }

  /** The owner asks no more: what has come for it goes back. Answers the claim for which one has come that was not heard of. */
  async end(owner: string): Promise<WaitingClaim | undefined> {
    const known = this.#owners.get(owner);
    if (known === undefined) return undefined;
    this.#owners.delete(owner);
    await this.#untaken(known);
    return known.isGone ? known.left : undefined;
  }

  close(): void {
    for (const known of this.#owners.values()) this.#drop(known);
    this.#owners.clear();
  }

  /** Whose step it is, in the lane in which claims wait, if one did. */
  #asker({ owner, lane = 0 }: StepRequest): Owner | undefined {
    return lane === 0 ? this.#owners.get(owner) : undefined;
  }

  #ownerOf(name: string): Owner {
    let known = this.#owners.get(name);
    if (known === undefined) {
      known = {
        name,
        workedAt: -Infinity,
        sent: undefined,
        left: undefined,
        isGone: false,
        isAsking: false,
        givingBack: undefined,
        handed: undefined,
        fences: new Set(),
        asks: undefined,
      };
      this.#owners.set(name, known);
    }
    return known;
  }

  #later(known: Owner): NodeJS.Timeout {
    return setTimeout(() => {
      // What is on its way may be told of it too.
      if (known.isAsking && known.handed !== undefined) known.handed.timer = this.#later(known);
      else void this.#untaken(known);
    }, KEPT);
  }

  async #untaken(known: Owner): Promise<void> {
    const { handed } = known;
    this.#drop(known);
    if (handed !== undefined) await this.#giveBack(known, handed);
  }

  #giveBack(known: Owner, handed: Told & Leased): Promise<void> {
    const job = jobOf(handed);
    if (job === undefined) return Promise.resolve();
    const givingBack = this.#options.release(known.name, job).finally(() => {
      if (known.givingBack === givingBack) known.givingBack = undefined;
    });
    return (known.givingBack = givingBack);
  }

  #drop(known: Owner): void {
    clearTimeout(known.handed?.timer);
    known.handed = undefined;
  }
}

function remember({ fences }: Owner, fence: number): void {
  fences.add(fence);
  for (const oldest of fences) if (fences.size > FENCES) fences.delete(oldest);
}

/** `undefined`: it cannot be read; its run ends with its lease. */
function jobOf({ row, fence, at, lease }: Told & Leased): ClaimedJob | undefined {
  const claim = { fence, begin: 1, leaseUntil: at + lease, hangs: NOTHING_HANGS };
  return claimedRows(row, NONE, claim)[0];
}

const NOTHING_HANGS = { add() {} };

function toldBy(message: Buffer): Told | undefined {
  const reader = new Reader(message);
  try {
    const [word, owner] = [reader.value(false), reader.value(false)];
    const [number, fence, at] = [reader.value(false), reader.value(false), reader.value(false)];
    if (typeof word !== "string" || typeof owner !== "string") return undefined;
    if (typeof number !== "number" || typeof fence !== "number" || typeof at !== "number") return undefined;
    return { word, owner, number, fence, at, row: message.subarray(reader.at) };
  } catch {
    return undefined;
  }
}
