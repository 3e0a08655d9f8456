import type { RunReference, SettleAnswer, Settlement, StepAnswer, StepRequest } from "@taskq/core/storage";
import { claimJobs, type Claimed } from "./claim.js";
import { claimedBefore } from "./claimed-job.js";
import { Turn } from "./claiming.js";
import { numberIfAny } from "./columns.js";
import { complete, followConsequences } from "./consequences.js";
import { refuseMoved } from "./enqueue.js";
import { writeFeed } from "./feed.js";
import { freeOnStart } from "./final.js";
import { openDueGates } from "./gates.js";
import { writeConsequences } from "./joins.js";
import { openDueLimits } from "./limits.js";
import { writeLease } from "./lease.js";
import type { Move } from "./move.js";
import type { SeldomState } from "./open-queue.js";
import { lastRequest } from "./last-request.js";
import { ownerNumber } from "./owners.js";
import { letStandingGo } from "./parking.js";
import { purgeSome } from "./purge.js";
import { ACTIVE, UNBEGUN, UNIQUE } from "./row.js";
import { jobById } from "./rows.js";
import { settle } from "./settle.js";
import { likeEnds, settleTogether, TOGETHER } from "./settle-together.js";
import { gatherStats } from "./stats.js";
import { endUnknown } from "./unknown.js";

/** Due jobs that one step makes ready. */
const PROMOTED_PER_STEP = 1000;

/** What a step reads of its queue. */
type QueueRow = [epoch: number, phase: number, version: number, ...Dues];
/** The next instants of a queue: of a gate, and of a scheduled job. */
type Dues = readonly [wake: number | null, later: number | null];

/** What a step claims, and the next instants, where it knows that they are still as it has read them. */
type StepClaimed = Claimed & { readonly dues?: Dues | undefined };

/** Settles and claims. */
export function step(move: Move, request: StepRequest): StepAnswer {
  // First, since a run may have begun and ended since the step before.
  for (const run of request.begun) begin(move, run);
  const settled = settleAll(move, request.settled);
  const claimed: StepClaimed = wantsJobs(request) ? claimOrRepeat(move, request) : withoutClaim(move);
  if (move.endedRuns.size > 0 && claimed === NOTHING) writeLease(move, undefined);
  writeFeed(move);
  purgeSome(move, settled.length);
  gatherStats(move, request, settled);
  complete(move);
  move.scope.rows += settled.length + claimed.jobs.length;
  return {
    settled,
    claimed: claimed.jobs,
    more: claimed.more || move.hasMoreDue,
    nextDue: earliest(claimed.dues ?? duesOf(move)),
    revoked: revokedOf(move, request.owner),
    effects: move.effects,
  };
}

const NOTHING: Claimed = { jobs: [], keys: [], more: false, isPlain: false, isBare: false };

function wantsJobs({ claim }: StepRequest): boolean {
  return claim !== undefined && (claim.begin > 0 || claim.ahead > 0);
}

function withoutClaim(move: Move): Claimed {
  followConsequences(move);
  const { doomed } = move.seldom();
  if (doomed.length > 0) writeConsequences(move);
  return NOTHING;
}

function settleAll(move: Move, settlements: readonly Settlement[]): SettleAnswer[] {
  const answers: SettleAnswer[] = [];
  for (let index = 0; index < settlements.length;) {
    const like = likeEnds(move, settlements, index);
    const until = index + Math.max(1, like);
    if (like === TOGETHER && settleTogether(move, settlements, index)) {
      for (; index < until; index += 1) answers.push("applied");
    }
    for (; index < until; index += 1) {
      answers.push(settle(move, settlements[index] as Settlement));
      // What follows is done at once: it is told from what comes after by what was active then.
      if (move.finished.length > 0) followConsequences(move);
    }
  }
  return answers;
}

/** A run claimed ahead has begun. */
function begin(move: Move, run: RunReference): void {
  const row = jobById(move.scope.connection, move.queue, run.id);
  if (row === undefined || row.state !== ACTIVE || row.fence !== run.fence || (row.flags & UNBEGUN) === 0)
    return;
  row.flags &= ~UNBEGUN;
  move.sql("UPDATE {jobs} SET flags = ?, started = ? WHERE key = ?").run(row.flags, move.now, row.key);
  if ((row.flags & UNIQUE) !== 0) freeOnStart(move, row);
}

function claimOrRepeat(move: Move, request: StepRequest): StepClaimed {
  const before = lastRequest(move.scope.connection, move.queue, request.owner, move.now);
  if (before !== undefined && request.request <= before.request) {
    const { more } = withoutClaim(move);
    const jobs = request.request === before.request ? claimedBefore(move, request, before.fence) : [];
    if (move.endedRuns.size > 0) writeLease(move, undefined);
    return { ...NOTHING, jobs, more };
  }
  return claimNew(move, request);
}

function claimNew(move: Move, request: StepRequest): StepClaimed {
  const { claim } = request;
  if (claim === undefined) return NOTHING;
  const [epoch, phase, version, wake, later] = move
    .raw(
      "SELECT epoch, phase, version, wake, (SELECT later FROM {jobs} WHERE queue = {queues}.id " +
        "AND later IS NOT NULL ORDER BY later LIMIT 1) FROM {queues} WHERE id = ?",
    )
    .get(move.queue.id) as QueueRow;
  refuseMoved(move.queue.name, phase);
  const current = move.seldom(version);
  const isQuiet = nothingFollows(move, current) && !isDue(move, wake) && !isDue(move, later);
  const seldom = prepare(move, request, current, wake);
  if (isPaused(seldom)) return NOTHING;
  if (isDue(move, later)) promote(move);
  const turn = new Turn(move, epoch, request.owner);
  const claimed = claimJobs({ move, request, claim, turn, seldom });
  remember(move, request, turn.drawnFence);
  const { keys, isBare } = claimed;
  writeLease(
    move,
    keys.length === 0
      ? undefined
      : {
          fence: turn.fence,
          owner: turn.owner,
          request: request.request,
          until: move.now + claim.lease,
          length: claim.lease,
          keys,
          isBare,
        },
  );
  return isQuiet && claimed.isPlain ? { ...claimed, dues: [wake, later] } : claimed;
}

function isDue({ now }: Move, instant: number | null): boolean {
  return instant !== null && instant <= now;
}

/** Whether nothing is left to be done of what was settled, nor of what waits at standing gates. */
function nothingFollows({ opened, freed, finished }: Move, { doomed, parking }: SeldomState): boolean {
  return (
    opened.size === 0 &&
    freed.size === 0 &&
    finished.length === 0 &&
    doomed.length === 0 &&
    parking.length === 0
  );
}

/** Does what may make jobs ready, or keep them from it, before any is claimed. */
function prepare(move: Move, request: StepRequest, seldom: SeldomState, wake: number | null): SeldomState {
  let current = seldom;
  if (isDue(move, wake)) {
    openDueLimits(move);
    endUnknown(move, request.tasks, isPaused(current));
    openDueGates(move);
  }
  followConsequences(move);
  if (current.doomed.length > 0) writeConsequences(move);
  if (current.parking.length > 0) letStandingGo(move, request.tasks, current);
  if (move.queue.seldom !== current) current = move.seldom();
  return current;
}

function isPaused(seldom: SeldomState): boolean {
  return seldom.controls.get("")?.paused === true;
}

/** Makes jobs ready that have become due. */
function promote(move: Move): void {
  move
    .sql(
      "UPDATE {jobs} SET state = 0, later = NULL WHERE key IN " +
        "(SELECT key FROM {jobs} WHERE queue = ? AND later <= ? ORDER BY later LIMIT ? + 0)",
    )
    .run(move.queue.id, move.now, PROMOTED_PER_STEP);
}

function remember(move: Move, request: StepRequest, fence: number): void {
  const { queue } = move;
  move.scope.onCommit(() => {
    queue.requests.set(request.owner, { request: request.request, fence });
  });
}

function duesOf(move: Move): Dues {
  return move
    .raw(
      "SELECT wake, (SELECT later FROM {jobs} WHERE queue = {queues}.id AND later IS NOT NULL ORDER BY later LIMIT 1) " +
        "FROM {queues} WHERE id = ?",
    )
    .get(move.queue.id) as Dues;
}

/**
 * When something next becomes due: a scheduled job, or a gate. An instant that is none, since somebody has written there,
 * takes the place of no other.
 */
export function earliest(dues: Dues): number | undefined {
  const [wake, later] = [numberIfAny(dues[0]), numberIfAny(dues[1])];
  if (wake === null) return later ?? undefined;
  return later === null ? wake : Math.min(wake, later);
}

/** Runs of an owner that a user has revoked. */
export function revokedOf(move: Move, owner: string): readonly RunReference[] {
  const { revoked } = move.seldomNow();
  if (revoked.length === 0) return NO_RUNS;
  const number = ownerNumber(move.scope.connection, owner, move.now);
  return revoked.filter((run) => run.owner === number).map(({ id, fence }) => ({ id, fence }));
}

const NO_RUNS: readonly RunReference[] = [];
