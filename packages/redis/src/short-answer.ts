/** The answer of a step that went the short way, but for what it left to the long one. */
import type { ClaimedJob, JobEffect, SettleAnswer, StepAnswer, StepRequest } from "@taskq/core/storage";
import type { HangingRuns } from "./hanging-runs.js";
import { claimedOf } from "./wire/answers.js";
import { claimedRows, type Bodies } from "./wire/rows.js";
import type { AnswerRecord } from "./wire/unpack.js";
import { listOf, number, numberIfAny } from "./wire/values.js";

export type ShortReply = readonly [
  flags: number,
  nextDue: Buffer,
  now: Buffer,
  count: number,
  rows: Buffer,
  bodies: Bodies,
  fence: number,
  others?: Buffer,
];

/** What the first number of a short reply is put together from. */
const MORE = 1;
export const HEARD = 2;
const PASSED = 4;
/** All is settled, and what was to be claimed is left to the whole of the script. */
export const UNCLAIMED = 8;
/** The rest of the script has done some of it. */
export const WITH_REST = 16;
/** It has claimed nothing, and waits. */
export const WAITS = 32;
/** Places in the reply of a short step: the time of the server, how many it has claimed, and what the long way has told besides. */
export const TIME = 2;
export const COUNT = 3;
export const OTHERS = 7;

/** What the long way has claimed. @param hanging told of those on which something hangs */
export function claimedLong(hanging: HangingRuns, answer: AnswerRecord): ClaimedJob[] {
  return listOf(answer["claimed"], (record) => {
    const claimed = claimedOf(record);
    if (record["hangs"] === true) hanging.add(claimed.id);
    return claimed;
  });
}

/** What the long way has claimed of a step that otherwise went the short one. */
export interface Others {
  readonly jobs: readonly ClaimedJob[];
  /** Of each, how many of those that were claimed the short way come before it. */
  readonly before: readonly number[];
  /** How many of all that begin at once it was given. */
  readonly begins: number;
  readonly passedOver: boolean;
  readonly more: boolean;
  readonly nextDue: number | undefined;
}

const NO_OTHERS: Others = {
  jobs: [],
  before: [],
  begins: 0,
  passedOver: false,
  more: false,
  nextDue: undefined,
};

/** Of what the long part of a script has told behind the short one; of nothing, if it was not run. */
export function othersOf(hanging: HangingRuns, answer: AnswerRecord): Others {
  const begins = numberIfAny(answer["begins"]);
  if (begins === undefined) return NO_OTHERS;
  return {
    jobs: claimedLong(hanging, answer),
    before: listOf(answer["claimed"], ({ before }) => number(before)),
    begins,
    passedOver: answer["passed"] === true,
    more: answer["more"] === true,
    nextDue: numberIfAny(answer["nextDue"]),
  };
}

/** In the order of their turn. */
function merged(jobs: readonly ClaimedJob[], { jobs: others, before }: Others): readonly ClaimedJob[] {
  if (others.length === 0) return jobs;
  const all: ClaimedJob[] = [];
  let next = 0;
  for (const [place, other] of others.entries()) {
    for (; next < (before[place] ?? 0); next += 1) all.push(jobs[next] as ClaimedJob);
    all.push(other);
  }
  for (; next < jobs.length; next += 1) all.push(jobs[next] as ClaimedJob);
  return all;
}

/**
 * The answer of the short path, on which every settlement was applied. A class: an object literal with a getter has a
 * shape of its own, which V8 keeps, with all that the getter sees, until a full collection (decisions/short-lived-objects.md).
 */
export class ShortAnswer implements StepAnswer {
  settled: readonly SettleAnswer[];
  readonly count: number;
  readonly passedOver: boolean;
  readonly more: boolean;
  readonly nextDue: number | undefined;
  readonly unclaimed: StepAnswer["unclaimed"] = undefined;
  readonly revoked: StepAnswer["revoked"] = [];
  effects: readonly JobEffect[];
  readonly #hanging: HangingRuns;
  readonly #reply: ShortReply;
  readonly #asked: StepRequest["claim"];
  readonly #others: Others;
  #claimed: readonly ClaimedJob[] | undefined;

  constructor({ hanging, reply, asked, others, settled, effects }: ShortOptions) {
    const [flags, nextDue, , count] = reply;
    this.settled = settled;
    this.count = count + others.jobs.length;
    this.passedOver = (flags & PASSED) !== 0 || others.passedOver;
    this.more = (flags & MORE) !== 0 || others.more;
    this.nextDue = others === NO_OTHERS ? instantOf(nextDue) : others.nextDue;
    this.effects = effects;
    this.#hanging = hanging;
    this.#reply = reply;
    this.#asked = asked;
    this.#others = others;
  }

  /** Read when it is asked for: whoever has another step to send does so first, and the server is busy meanwhile. */
  get claimed(): readonly ClaimedJob[] {
    if (this.#claimed !== undefined) return this.#claimed;
    const [, , now, , rows, bodies, fence] = this.#reply;
    const { begin = 0, lease = 0 } = this.#asked ?? {};
    const leaseUntil = Number(now.toString()) + lease;
    const own = { fence, begin: begin - this.#others.begins, leaseUntil, hangs: this.#hanging };
    this.#claimed = merged(claimedRows(rows, bodies, own), this.#others);
    // ioredis, or V8, keeps some replies until a full collection.
    (this.#reply as unknown as unknown[]).length = 0;
    return this.#claimed;
  }
}

export interface ShortOptions {
  readonly hanging: HangingRuns;
  readonly reply: ShortReply;
  readonly asked: StepRequest["claim"];
  readonly others: Others;
  readonly settled: readonly SettleAnswer[];
  readonly effects: readonly JobEffect[];
}

function instantOf(text: Buffer): number | undefined {
  return text.length === 0 ? undefined : Number(text.toString());
}
