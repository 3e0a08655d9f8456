/** What a consumer tells a storage, and is told, in steps: each is repeated word for word until it is answered. */
import { isRefusal, reportEffects, reportSettled, type Engine } from "@taskq/core/engine";
import {
  CALL_BYTES,
  TaskqError,
  type ClaimRequest,
  type RunReference,
  type SettledOutcome,
  type Settlement,
  type StepAnswer,
  type StepRequest,
} from "@taskq/core/storage";
import type { HeldRun } from "./held-run.js";
import type { HeldRuns } from "./held-runs.js";
import { OneByOne } from "./one-by-one.js";
import type { Outage } from "./outage.js";
import { stampNow, type Stamp } from "./stamp.js";

const RELEASED: SettledOutcome = { kind: "released" };
/**
 * Answers with an error to the same step, leases renewed before each, after which what it settles is settled one by one; and to a
 * step that settles one, or no longer any.
 */
const REFUSALS = 5;
const REFUSALS_OF_ONE = 2;

/**
 * Bytes of what a step settles, from which on it claims nothing unless the last such step was quick, in milliseconds: over a slow
 * network it would bring as much as it takes along, and have no time for both.
 */
const HEAVY = CALL_BYTES / 4;
const QUICK = 250;

/** One step at a time, repeated until it is answered. */
interface Lane {
  readonly number: number;
  isUnderWay: boolean;
  sent: Sent | undefined;
}

interface Sent {
  readonly request: StepRequest;
  readonly ended: readonly HeldRun[];
  /** Of the first attempt: a repeated claim may have been made then. */
  readonly stamp: Stamp;
  /** Whether it settles one run, since the storage refuses some. */
  readonly isOfOne: boolean;
  /** Whether it settles so much that it is told by it how quick the storage is. */
  readonly isHeavy: boolean;
  /** How often in a row the storage has answered it with an error. */
  refusals: number;
}

/** An answer, with the moment from which its leases count. */
export interface Exchanged {
  readonly answer: StepAnswer;
  readonly claim: ClaimRequest | undefined;
  readonly ended: readonly HeldRun[];
  readonly stamp: Stamp;
  /** Whether most of the time went by without this process: the storage works elsewhere. */
  readonly elsewhere: boolean;
}

export interface StepExchangeOptions {
  readonly engine: Engine;
  readonly owner: string;
  readonly runs: HeldRuns;
  readonly outage: Outage;
  /** A request was refused because it claims: what it was to settle goes with the next one. */
  readonly refused: (error: TaskqError) => void;
}

export class StepExchange {
  readonly #options: StepExchangeOptions;
  readonly #lanes: readonly Lane[];
  readonly #oneByOne: OneByOne;
  #idle: (() => void) | undefined;
  #number = 0;
  #settlements: Settlement[] = [];
  #ended: HeldRun[] = [];
  /** Runs that began, of which a refused step was to tell. */
  #untold: readonly RunReference[] = [];
  /** Of the settlements. */
  #bytes = 0;
  /** Whether the last step that settled much was. */
  #isQuick = false;

  constructor(options: StepExchangeOptions) {
    this.#options = options;
    const { lanes = 1 } = options.engine.storage;
    this.#lanes = Array.from({ length: lanes }, (_, number) => ({
      number,
      isUnderWay: false,
      sent: undefined,
    }));
    const { engine, runs } = options;
    this.#oneByOne = new OneByOne({ engine, runs, others: () => this.#takeEnded() });
  }

  /** Whether something has ended that was not sent yet. */
  get hasEnded(): boolean {
    return this.#ended.length > 0;
  }

  /** Whether the next step has so much to settle that the claim goes with the one after it. */
  get putsOffClaim(): boolean {
    return this.#isHeavy && !this.#isQuick;
  }

  get #isHeavy(): boolean {
    return this.#bytes > HEAVY;
  }

  /** Whether everything that has begun is told, everything that has ended is settled, and every request answered. */
  get empty(): boolean {
    return (
      this.#ended.length === 0 &&
      this.#untold.length === 0 &&
      !this.isOneByOne &&
      this.#lanes.every(({ sent }) => sent === undefined)
    );
  }

  /** Whether runs are settled one by one: then a step does nothing else, unless it is a probe, and no other one is under way. */
  get isOneByOne(): boolean {
    return this.#oneByOne.next !== undefined;
  }

  /** Whether a step that claims one job would tell whether the storage takes any run at all. */
  get wantsProbe(): boolean {
    return this.#oneByOne.wantsProbe;
  }

  /** Whether several steps may be under way. */
  get hasLanes(): boolean {
    return this.#lanes.length > 1;
  }

  /** How many steps are under way. */
  get underWay(): number {
    return this.#lanes.filter(({ isUnderWay }) => isUnderWay).length;
  }

  /** Whether no further step can be sent now. */
  get isFull(): boolean {
    if (this.isOneByOne) return this.underWay > 0;
    return !this.#lanes.some(isFree);
  }

  /** Whether a request was not answered and is not under way: the next one that is sent repeats it. */
  get repeats(): boolean {
    return this.#lanes.some(isUnanswered);
  }

  /** How many jobs are asked for by requests without an answer. */
  get asked(): number {
    let asked = 0;
    for (const { sent } of this.#lanes) asked += askedBy(sent?.request.claim);
    return asked;
  }

  /** To be settled with the next step: as it finished, or, unbegun, as released. */
  add(held: HeldRun): void {
    held.state = "ended";
    this.#ended.push(held);
    const settlement = this.#settlementOf(held);
    this.#settlements.push(settlement);
    this.#bytes += bytesOf(settlement);
  }

  /** Sends what is there; `undefined` if the storage is away, and the same is sent again. */
  async send(
    claim: ClaimRequest | undefined,
    begun: readonly RunReference[],
  ): Promise<Exchanged | undefined> {
    const lane = this.#lanes.find(isUnanswered) ?? this.#lanes.find(isFree);
    if (lane === undefined) throw new TypeError("each lane has a step under way");
    const { engine, outage } = this.#options;
    const sent = (lane.sent ??= this.#compose(lane.number, claim, begun));
    lane.isUnderWay = true;
    try {
      const began = performance.now();
      const asking = outage.ask(
        () => engine.storage.step(sent.request),
        (error) => this.#unanswered(lane, sent, error),
      );
      const asked = performance.now();
      const answer = await asking;
      if (answer === undefined) {
        this.#isQuick = false;
        return undefined;
      }
      const took = performance.now() - asked;
      const elsewhere = took > asked - began;
      if (sent.isHeavy) this.#isQuick = took < QUICK;
      lane.sent = undefined;
      const { request, ended, stamp, isOfOne } = sent;
      if (isOfOne) this.#oneByOne.answered(answer.settled[0]);
      else if (this.wantsProbe && handedOut(answer) > 0) this.#oneByOne.probed(answer.claimed[0]?.id);
      return { answer, claim: request.claim, ended, stamp, elsewhere };
    } catch (error) {
      return this.#refused(lane, sent, error);
    } finally {
      lane.isUnderWay = false;
      if (this.underWay === 0) this.#idle?.();
    }
  }

  /** Resolves once no step is under way. */
  whenAnswered(): Promise<void> {
    if (this.underWay === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#idle = resolve;
    });
  }

  /** Takes what an answer says of what had ended. Answers whether some of it is to be settled otherwise. */
  take({ answer, ended }: Exchanged): boolean {
    const isLeft = this.#settle(ended, answer);
    reportEffects(this.#options.engine, answer.effects);
    return isLeft;
  }

  /** The last one: what the storage has gathered in memory, it may write now. */
  async end(): Promise<void> {
    if (!this.empty) return;
    await this.#options.engine.storage.step({ ...this.#compose(0, undefined, []).request, last: true });
  }

  /**
   * A step that the storage goes on refusing is asked without what it settles: that goes one by one, once this is answered. If it is
   * refused still, no run that has ended waits for what it claims.
   */
  #unanswered(lane: Lane, sent: Sent, error: unknown): void {
    sent.refusals = isRefusal(error) ? sent.refusals + 1 : 0;
    const { request, ended, isOfOne } = sent;
    if (sent.refusals < (isOfOne ? REFUSALS_OF_ONE : REFUSALS)) return;
    if (isOfOne) {
      lane.sent = undefined;
      this.#oneByOne.refused(error);
    } else if (ended.length > 0) {
      const refusals = REFUSALS - REFUSALS_OF_ONE;
      lane.sent = { ...sent, request: { ...request, settled: [] }, ended: [], refusals };
      this.#oneByOne.add(ended);
    } else if (this.hasEnded || this.isOneByOne) {
      // What it may have claimed is claimed again once its lease is over.
      lane.sent =
        request.claim === undefined
          ? undefined
          : { ...sent, request: { ...request, claim: undefined }, refusals: 0 };
    }
  }

  /** A queue that moves to another storage hands out nothing more, but takes what ended. */
  #refused(lane: Lane, { request, ended }: Sent, error: unknown): undefined {
    if (request.claim === undefined || !(error instanceof TaskqError) || error.code !== "TASKQ_MOVED") {
      throw error;
    }
    lane.sent = undefined;
    this.#settlements = [...request.settled, ...this.#settlements];
    this.#ended = [...ended, ...this.#ended];
    this.#untold = [...request.begun, ...this.#untold];
    this.#bytes += totalOf(request.settled);
    this.#options.refused(error);
  }

  #compose(lane: number, claim: ClaimRequest | undefined, begun: readonly RunReference[]): Sent {
    const { engine, owner } = this.#options;
    const { name, taskNames, time } = engine;
    const next = claim === undefined ? this.#oneByOne.next : undefined;
    const isHeavy = next === undefined && this.#isHeavy;
    const [settled, ended] = next === undefined ? this.#takeMost() : [[this.#settlementOf(next)], [next]];
    this.#number += 1;
    const request: StepRequest = {
      queue: name,
      owner,
      request: this.#number,
      lane,
      tasks: taskNames,
      settled,
      begun: next === undefined ? this.#takeUntold(begun) : begun,
      claim,
      now: time.requestNow(),
    };
    return { request, ended, stamp: stampNow(), isOfOne: next !== undefined, isHeavy, refusals: 0 };
  }

  #takeUntold(begun: readonly RunReference[]): readonly RunReference[] {
    const untold = this.#untold;
    if (untold.length === 0) return begun;
    this.#untold = [];
    return [...untold, ...begun];
  }

  /** As much of what has ended as a step carries. */
  #takeMost(): readonly [readonly Settlement[], readonly HeldRun[]] {
    const settlements = this.#settlements;
    if (this.#bytes <= CALL_BYTES) return [settlements, this.#takeEnded()];
    let [count, bytes] = [0, 0];
    while (count < settlements.length && bytes < CALL_BYTES) {
      bytes += bytesOf(settlements[count] as Settlement);
      count += 1;
    }
    this.#bytes -= bytes;
    return [settlements.splice(0, count), this.#ended.splice(0, count)];
  }

  #takeEnded(): readonly HeldRun[] {
    const ended = this.#ended;
    this.#settlements = [];
    this.#ended = [];
    this.#bytes = 0;
    return ended;
  }

  /** As it finished, or, unbegun, as released. */
  #settlementOf(held: HeldRun): Settlement {
    return held.finished?.settlement ?? this.#release(held);
  }

  #settle(ended: readonly HeldRun[], answer: StepAnswer): boolean {
    let index = -1;
    let isLeft = false;
    for (const held of ended) {
      index += 1;
      const settled = answer.settled[index] ?? "lost";
      if (settled === "refused" && this.#settlesOtherwise(held)) {
        isLeft = true;
        continue;
      }
      this.#options.runs.remove(held);
      const { finished } = held;
      if (finished === undefined) continue;
      // The fence is ours alone: what was done before was done by this request, whose answer got lost.
      reportSettled(finished, settled === "repeated" ? "applied" : settled);
    }
    return isLeft;
  }

  /** Whether a run that the storage would not settle so has another end, which is sent next. */
  #settlesOtherwise(held: HeldRun): boolean {
    const finished = held.finished?.afterRefusal?.();
    if (finished === undefined) return false;
    held.finished = finished;
    this.add(held);
    return true;
  }

  #release({ claimed: { id, fence } }: HeldRun): Settlement {
    return { id, fence, startedAt: this.#options.engine.time.now(), outcome: RELEASED, add: undefined };
  }
}

/** Of what it came to, and of what it adds. */
function bytesOf({ outcome, add }: Settlement): number {
  const { kind } = outcome;
  const own =
    kind === "completed" ? outcome.result : kind === "failed" || kind === "retry" ? outcome.error : undefined;
  const bytes = own?.length ?? 0;
  return add === undefined
    ? bytes
    : add.flatMap(({ jobs }) => jobs).reduce((all, { body }) => all + body.length, bytes);
}

function totalOf(settlements: readonly Settlement[]): number {
  return settlements.reduce((total, settlement) => total + bytesOf(settlement), 0);
}

function isFree({ isUnderWay }: Lane): boolean {
  return !isUnderWay;
}

function isUnanswered({ isUnderWay, sent }: Lane): boolean {
  return !isUnderWay && sent !== undefined;
}

/** All jobs that a claim may be answered with. */
export function askedBy(claim: ClaimRequest | undefined): number {
  return claim === undefined ? 0 : claim.begin + claim.ahead;
}

/** How many jobs were handed out. Reads none of them where their number is told. */
export function handedOut(answer: StepAnswer): number {
  return answer.count ?? answer.claimed.length;
}

/** Whether all that was asked for was handed out. */
export function isFilled(claim: ClaimRequest, answer: StepAnswer): boolean {
  return handedOut(answer) >= askedBy(claim);
}
