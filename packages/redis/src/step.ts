/** Settling and claiming: one script, and others only where more follows from a settlement than one script may do. */
import {
  type JobEffect,
  type RunReference,
  type SettleAnswer,
  type Settlement,
  type StepAnswer,
  type StepRequest,
  type TaskqError,
} from "@taskq/core/storage";
import type { CallParameter } from "./connection/caller.js";
import type { Parameter, Reply } from "./connection/client.js";
import type { SentAgain, WhenFull } from "./connection/sending.js";
import { SCRIPTS } from "./lua/scripts.js";
import { joined } from "./joined-tasks.js";
import type { OpenQueue } from "./open-queue.js";
import type { StatsField } from "./pending-stats.js";
import {
  claimedLong,
  COUNT,
  HEARD,
  OTHERS,
  othersOf,
  ShortAnswer,
  type ShortReply,
  TIME,
  UNCLAIMED,
  WAITS,
  WITH_REST,
} from "./short-answer.js";
import { answersOf, splitStep, type SplitStep } from "./split-step.js";
import { effectOf, runOf } from "./wire/answers.js";
import { listOf, numberIfAny, textsOf } from "./wire/values.js";
import type { WaitingClaim } from "./waiting-claims.js";
import { pack } from "./wire/pack.js";
import { runRequest, settlementsRequest } from "./wire/requests.js";
import type { AnswerRecord } from "./wire/unpack.js";

export function step(queue: OpenQueue, request: StepRequest): Promise<StepAnswer> {
  const givingBack = queue.waiting.givingBack(request);
  if (givingBack !== undefined) return givingBack.then(() => step(queue, request));
  if (queue.waiting.has(request)) return withHanded(queue, request);
  return request.last === true ? lastStep(queue, request) : exchange(queue, request);
}

/** The answer to a claim is a job that has come for it; all else is done by a step that claims nothing. */
async function withHanded(queue: OpenQueue, request: StepRequest): Promise<StepAnswer> {
  const { settled, begun } = request;
  const rest =
    settled.length === 0 && begun.length === 0
      ? NOTHING
      : await exchange(queue, { ...request, claim: undefined });
  const job = queue.waiting.take(request);
  const claimed = job === undefined ? [] : [job];
  // Nothing else was ready when it was handed over.
  return { ...rest, claimed, count: claimed.length, passedOver: false, more: true };
}

async function lastStep(queue: OpenQueue, request: StepRequest): Promise<StepAnswer> {
  const answer = await exchange(queue, request);
  const gone = await queue.waiting.end(request.owner);
  if (gone !== undefined) await giveBackUnheard(queue, request, gone);
  return answer;
}

/** A job has come for a claim, and nothing was heard of it: the server tells which. */
async function giveBackUnheard(
  queue: OpenQueue,
  { owner, tasks }: StepRequest,
  { number, lease }: WaitingClaim,
): Promise<void> {
  const claim = { begin: 1, ahead: 0, lease };
  const request = { queue: queue.name, owner, request: number, tasks, settled: [], begun: [], claim };
  const { claimed } = await exchange(queue, request).catch(() => NOTHING);
  await Promise.all(claimed.map((job) => release(queue, owner, job)));
}

/** A lane of its own. */
const RELEASES = 2;

/** Gives back a run that nobody has begun; if that cannot be, it ends with its lease. */
export async function release(queue: OpenQueue, owner: string, { id, fence }: RunReference): Promise<void> {
  const settled = [{ id, fence, startedAt: 0, outcome: { kind: "released" }, add: undefined } as const];
  // In none of the lanes that steps have: what is known of those stays.
  const request = {
    queue: queue.name,
    owner,
    request: 0,
    lane: RELEASES,
    tasks: [],
    settled,
    begun: [],
    claim: undefined,
  };
  await exchange(queue, request).catch(() => {});
}

const NOTHING: StepAnswer = {
  settled: [],
  claimed: [],
  more: true,
  nextDue: undefined,
  revoked: [],
  effects: [],
};

function exchange(queue: OpenQueue, request: StepRequest): Promise<StepAnswer> {
  const { hanging, atOnce, unanswered } = queue;
  if (atOnce !== undefined || unanswered.has(laneOf(request))) return wholeStep(queue, request);
  const split = splitStep(request, {
    hasMore: queue.stats.isDue(nowOf(queue, request)),
    hanging,
    claimsShort: queue.stepsAreShort || queue.stepsAreMixed,
  });
  return split === undefined ? wholeStep(queue, request) : stepInTwo(queue, split);
}

/** Both are sent together: the second one finds done what the first one does, and one round trip is all that it takes. */
async function stepInTwo(queue: OpenQueue, { seldom, usual, places }: SplitStep): Promise<StepAnswer> {
  const calls = await Promise.allSettled([wholeStep(queue, seldom, true), wholeStep(queue, usual)]);
  const [first, second] = calls;
  if (first.status === "rejected") throw first.reason;
  if (second.status === "rejected") throw second.reason;
  const answer: Answered = second.value;
  answer.settled = answersOf(places, first.value, answer);
  answer.effects = [...first.value.effects, ...answer.effects];
  return answer;
}

/** Of a call that nobody else has yet. */
type Answered = { -readonly [Field in keyof StepAnswer]: StepAnswer[Field] };

/** The time of the server then. */
function timeOf(answer: AnswerRecord, short: ShortReply | undefined): number | undefined {
  return short === undefined ? numberIfAny(answer["time"]) : Number(short[TIME].toString());
}

function nowOf(queue: OpenQueue, { now }: StepRequest): number {
  return now ?? queue.now();
}

/** @param goesAhead of another call of the same step, the long way */
async function wholeStep(queue: OpenQueue, request: StepRequest, goesAhead = false): Promise<Answered> {
  const now = nowOf(queue, request);
  const effects: JobEffect[] = [];
  let settled: readonly SettleAnswer[] = [];
  for (;;) {
    const rest = settled.length === 0 ? request.settled : request.settled.slice(settled.length);
    const fields = queue.stats.due(now, request.last === true);
    const {
      answer,
      effects: more,
      short,
      isSettled,
      full,
    } = await ask(queue, request, rest, fields, goesAhead);
    effects.push(...more);
    const answers = isSettled ? rest.map(() => APPLIED) : (textsOf(answer["settled"]) as SettleAnswer[]);
    queue.stats.record(rest, answers, now);
    if (request.now === undefined && queue.comparesTime(now)) queue.sawTime(timeOf(answer, short), now);
    settled = settled.length === 0 ? answers : [...settled, ...answers];
    if (!queue.hanging.isEmpty) for (const { id } of rest) queue.hanging.delete(id);
    if (short !== undefined) {
      const others = othersOf(queue.hanging, answer);
      const { hanging } = queue;
      const { claim: asked } = request;
      return unclaimed(full, new ShortAnswer({ hanging, reply: short, asked, others, settled, effects }));
    }
    const done = answer["part"] !== true;
    if (done || (settled.length === request.settled.length && request.claim === undefined)) {
      if (request.last === true) await writeLast(queue, now);
      const claimed = claimedLong(queue.hanging, answer);
      if (!goesAhead) queue.waiting.told(request, claimed);
      return unclaimed(full, {
        settled,
        claimed,
        passedOver: answer["passed"] !== false,
        more: answer["more"] === true || !done,
        nextDue: numberIfAny(answer["nextDue"]),
        revoked: listOf(answer["revoked"], runOf),
        effects,
      });
    }
    effects.push(...(await queue.catchUp(request.now)));
  }
}

/** Where there is no room for what would be claimed, it is not asked for again at once. */
function unclaimed(full: TaskqError | undefined, answer: Answered): Answered {
  if (full !== undefined && answer.more) {
    [answer.unclaimed, answer.more, answer.nextDue] = [full, false, undefined];
  }
  return answer;
}

const APPLIED: SettleAnswer = "applied";

interface Asked {
  readonly answer: AnswerRecord;
  readonly effects: readonly JobEffect[];
  readonly short?: ShortReply | undefined;
  /** Whether all that there was to settle was the caller's to settle, and is. */
  readonly isSettled: boolean;
  /** What the server said if nothing was claimed because its memory is full. */
  readonly full: TaskqError | undefined;
}

async function ask(
  queue: OpenQueue,
  request: StepRequest,
  rest: readonly Settlement[],
  stats: readonly StatsField[] | undefined,
  goesAhead: boolean,
): Promise<Asked> {
  const { unanswered } = queue;
  const lane = laneOf(request);
  const parameters = parametersOf(queue, request, rest, stats);
  const waits = goesAhead ? undefined : queue.waiting.next(request);
  const left = goesAhead ? undefined : queue.waiting.asking(request);
  if (waits !== undefined || left !== undefined) parameters.push(waits?.member ?? "", left?.member ?? "");
  if (unanswered.has(lane)) parameters[SELDOM] = notedOf(queue, stats);
  const again =
    stats === undefined && queue.atOnce === undefined
      ? NOTED
      : { place: SELDOM, parameter: () => notedOf(queue, stats) };
  let short: ShortReply | undefined;
  let isSettled = false;
  let full: TaskqError | undefined;
  const whenFull: WhenFull = (sent, error) => {
    if (claimNothing(sent)) full = error;
  };
  const before: JobEffect[] = [];
  try {
    const { answer, effects } = await queue.caughtUp(request.now, async () => {
      const mayBeShort = !goesAhead && parameters[IDS] === "" && parameters[SELDOM] === "";
      const begun = performance.now();
      const { generation } = queue;
      let reply: Reply = 0;
      if (mayBeShort && queue.stepsAreShort) {
        const hintsFirst = parameters[HINT] !== "";
        reply = await queue.run(SCRIPTS.shortStep, parameters, undefined, again, hintsFirst, whenFull);
        if (reply === GONE) reply = askUnder(queue, request, parameters, left);
        else if (left !== undefined) parameters[LEFT] = "";
        if (reply !== 0 && ((reply as ShortReply)[0] & UNCLAIMED) !== 0) {
          before.push(...settledBy(queue, reply as ShortReply, rest));
          [isSettled, reply] = [true, 0];
          for (const place of [BEGUN, SETTLED, HINT]) parameters[place] = "";
        }
        if (queue.generation !== generation) parameters[SELDOM] = notedOf(queue, stats);
      }
      const whole = (): Promise<Reply> =>
        queue.run(SCRIPTS.step, parameters, begun, again, undefined, whenFull);
      if (reply === 0) reply = await whole();
      if (reply === GONE) {
        askUnder(queue, request, parameters, left);
        reply = await whole();
      }
      const isLong = Buffer.isBuffer(reply);
      if (mayBeShort) {
        const hasRest = !isLong && ((reply as ShortReply)[0] & WITH_REST) !== 0;
        queue.stepsAreShort = !isLong && !hasRest;
        queue.stepsAreMixed = hasRest && (reply as ShortReply)[COUNT] > 0;
      }
      if (isLong) return queue.told(SCRIPTS.step, reply);
      short = reply as ShortReply;
      if (!isSettled) hear(queue, short, rest);
      const others = short[OTHERS];
      return others === undefined ? {} : queue.told(SCRIPTS.step, others);
    });
    if (unanswered.size > 0 && !goesAhead) unanswered.delete(lane);
    if (!goesAhead) queue.waiting.answered(request, isWaiting(answer, short) ? waits : undefined);
    isSettled ||= short !== undefined;
    return { answer, effects: [...before, ...effects], short, isSettled, full };
  } catch (error) {
    // What goes ahead of a claim says nothing of that.
    if (!goesAhead) {
      unanswered.add(lane);
      queue.waiting.failed(request);
    }
    if (stats !== undefined) queue.stats.notWritten(stats);
    throw error;
  }
}

function isWaiting(answer: AnswerRecord, short: ShortReply | undefined): boolean {
  return short === undefined ? answer["waits"] === true : (short[0] & WAITS) !== 0;
}

function hear(queue: OpenQueue, reply: ShortReply, settled: readonly Settlement[]): void {
  if (settled.length > 0) queue.isWaitedFor = (reply[0] & HEARD) !== 0;
  queue.settled(settled);
}

/** What followed from settlements, of a step that did no more. */
function settledBy(
  queue: OpenQueue,
  reply: ShortReply,
  settled: readonly Settlement[],
): readonly JobEffect[] {
  hear(queue, reply, settled);
  const others = reply[OTHERS];
  return others === undefined ? [] : listOf(queue.told(SCRIPTS.shortStep, others)["effects"], effectOf);
}

/** Places among the parameters; the last two are there where something is to wait, or has waited. */
const [NUMBER, BEGIN, AHEAD, IDS, BEGUN, SELDOM, SETTLED, HINT, WAITS_FOR, LEFT] = [
  3, 4, 5, 8, 9, 10, 11, 13, 14, 15,
];
/** A job has come for what waited, and nothing was done yet: as `lua/short/hand.ts` replies. */
const GONE = 1;

/**
 * A server whose memory is full goes on with what has begun: that is bounded, and removes what need not be kept. What is claimed would
 * fill it further, since jobs that ended take as much room as before until then, and their results come to it. Answers whether it claimed.
 */
function claimNothing(parameters: Parameter[]): boolean {
  if (parameters[BEGIN] === "") return false;
  [parameters[BEGIN], parameters[AHEAD]] = [0, 0];
  return true;
}

/** Leaves and takes back nothing, and asks under the number of what is gone. */
function askUnder(
  queue: OpenQueue,
  request: StepRequest,
  parameters: CallParameter[],
  left: WaitingClaim | undefined,
): 0 {
  if (left !== undefined) parameters[NUMBER] = queue.waiting.gone(request, left);
  parameters.length = WAITS_FOR;
  return 0;
}

/**
 * Of a step that is sent again: its number is kept also if it claims nothing. The copy that was sent first may lie in a
 * socket's buffer, and would claim jobs that nobody is handed.
 */
function notedOf({ atOnce }: OpenQueue, stats: readonly StatsField[] | undefined): Buffer {
  return pack({ stats, atOnce, noted: true });
}

const NOTED: SentAgain = { place: SELDOM, parameter: () => pack({ noted: true }) };

/** As the script reads them. */
function parametersOf(
  queue: OpenQueue,
  asked: StepRequest,
  rest: readonly Settlement[],
  stats: readonly StatsField[] | undefined,
): CallParameter[] {
  const { now, owner, tasks, claim, begun } = asked;
  return [
    now ?? "",
    queue.publish,
    owner,
    queue.waiting.numberOf(asked),
    claim?.begin ?? "",
    claim?.ahead ?? "",
    claim?.lease ?? "",
    joined(tasks),
    claim?.ids === undefined ? "" : pack(claim.ids),
    begun.length === 0 ? "" : pack(begun.map(runRequest)),
    stats === undefined && queue.atOnce === undefined ? "" : pack({ stats, atOnce: queue.atOnce }),
    rest.length === 0 ? "" : settlementsRequest(rest),
    laneOf(asked),
    queue.hintOf(rest) ?? "",
  ];
}

/** What the last claim of a lane is kept under. */
function laneOf({ owner, lane = 0 }: StepRequest): string {
  return lane === 0 ? owner : `${owner}\n${String(lane)}`;
}

/** The owner asks no more: what this step itself gathered is written too. */
async function writeLast(queue: OpenQueue, now: number): Promise<void> {
  const put = queue.stats.due(now, true);
  if (put !== undefined) await queue.ask(SCRIPTS.stats, { queue: queue.name, now }, { put });
}
