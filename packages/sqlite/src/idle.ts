import type { StepAnswer, StepRequest } from "@taskq/core/storage";
import type { Connection } from "./connection.js";
import { lastRequest } from "./last-request.js";
import type { OpenQueue } from "./open-queue.js";
import { ownerNumber } from "./owners.js";
import { hasPurgeable } from "./purge.js";
import { readSeldom } from "./seldom.js";
import { earliest } from "./step.js";

type Look = [version: number, phase: number, wake: number | null, ready: number | null, later: number | null];

/** The answer of a step that has nothing to do; `undefined` when there may be something. It only reads. */
export function idleAnswer(
  connection: Connection,
  queue: OpenQueue,
  request: StepRequest,
  now: number,
): StepAnswer | undefined {
  if (request.settled.length > 0 || request.begun.length > 0) return undefined;
  if (isReadySurely(connection, queue, request) || hasPurgeable(connection, queue, now)) return undefined;
  // What was gathered is written before the queue falls silent.
  if (queue.stats.isDue(now, request.last === true)) return undefined;
  const [version, phase, wake, ready, later] = connection
    .raw(
      "SELECT version, phase, wake, (SELECT 1 FROM {jobs} WHERE queue = {queues}.id AND state = 0 LIMIT 1), " +
        "(SELECT later FROM {jobs} WHERE queue = {queues}.id AND later IS NOT NULL ORDER BY later LIMIT 1) " +
        "FROM {queues} WHERE id = ?",
    )
    .get(queue.id) as Look;
  if (phase !== 0 && request.claim !== undefined) return undefined;
  const seldom = queue.seldom?.version === version ? queue.seldom : readSeldom(connection, queue, version);
  if (seldom.doomed.length > 0) return undefined;
  const claims = request.claim !== undefined && request.claim.begin + request.claim.ahead > 0;
  const paused = seldom.controls.get("")?.paused === true;
  if (claims) {
    // A repeat of a lost answer finds its jobs by what was remembered.
    const before = lastRequest(connection, queue, request.owner, now);
    if (before !== undefined && request.request <= before.request) return undefined;
    const due = (later !== null && later <= now) || (wake !== null && wake <= now);
    if (!paused && (ready !== null || due)) return undefined;
    if (!paused && seldom.parking.some((gate) => mayOpen(gate, queue, request, seldom.controls)))
      return undefined;
  }
  return {
    settled: [],
    claimed: [],
    more: false,
    nextDue: earliest([wake, later]),
    revoked:
      seldom.revoked.length === 0
        ? []
        : revokedRuns(ownerNumber(connection, request.owner, now), seldom.revoked),
    effects: [],
  };
}

/** Whether there is something to claim, by what is known: the usual reason for a look, and so the first one. */
function isReadySurely(connection: Connection, queue: OpenQueue, { claim }: StepRequest): boolean {
  if (claim === undefined || claim.begin + claim.ahead === 0) return false;
  if (queue.seldom === undefined || queue.seldom.controls.get("")?.paused === true) return false;
  const ready = connection.raw("SELECT 1 FROM {jobs} WHERE queue = ? AND state = 0 LIMIT 1").get(queue.id);
  return ready !== undefined;
}

function mayOpen(
  gate: string,
  queue: OpenQueue,
  request: StepRequest,
  controls: ReadonlyMap<string, { readonly paused: boolean }>,
): boolean {
  return gate.startsWith("task:")
    ? queue.knownTasks(request.tasks).has(gate.slice(5))
    : controls.get(gate.slice(6))?.paused !== true;
}

function revokedRuns(
  owner: number | undefined,
  revoked: readonly { readonly owner: number; readonly fence: number; readonly id: string }[],
): StepAnswer["revoked"] {
  return revoked.filter((run) => run.owner === owner).map(({ id, fence }) => ({ id, fence }));
}
