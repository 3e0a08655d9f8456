/** A job as it is handed to the one who claimed it. */
import { joinId, type ClaimedJob, type JobGuards, type StepRequest } from "@taskq/core/storage";
import { bytesOf } from "./bytes.js";
import { SPECIAL, type Claiming } from "./claiming.js";
import { freeOnStart } from "./final.js";
import { unpackKeys } from "./lease.js";
import type { Move } from "./move.js";
import { activeRow, type ReadyRow } from "./ready-rows.js";
import {
  AT_MOST_ONCE,
  FOLLOWER,
  idOf,
  keyOf,
  metaOf,
  UNBEGUN,
  UNIQUE,
  VERDICT,
  type Meta,
  type Row,
} from "./row.js";
import { rowByKey } from "./rows.js";
import { sourcesOf } from "./sources.js";

export function jobOf(claiming: Claiming, claimed: ReadyRow, begun: boolean): ClaimedJob {
  const [
    time,
    low,
    random,
    task,
    attempt,
    failures,
    crashes,
    priority,
    due,
    expires,
    flags,
    enqueued,
    meta,
    body,
  ] = claimed;
  const { move, claim, turn } = claiming;
  const special = (flags & SPECIAL) !== 0;
  if (special && (flags & UNIQUE) !== 0 && begun) {
    freeOnStart(move, rowByKey(move.scope.connection, keyOf(time, low)) as Row);
  }
  const parts = special ? specialParts(move, claimed) : undefined;
  return {
    id: parts?.id ?? joinId({ time, low, random }),
    task,
    fence: turn.fence,
    attempt,
    failures,
    crashes,
    priority,
    enqueuedAt: enqueued ?? time,
    due,
    expiresAt: expires ?? undefined,
    delivery: (flags & AT_MOST_ONCE) === 0 ? "at-least-once" : "at-most-once",
    body: bytesOf(body),
    begun,
    leaseUntil: move.now + claim.lease,
    verdict: (flags & VERDICT) === 0 ? undefined : metaOf({ meta }).verdict,
    sources: parts?.sources,
    guards: parts?.guards,
  };
}

interface SpecialParts {
  readonly id: string;
  readonly sources: ClaimedJob["sources"];
  readonly guards: JobGuards | undefined;
}

function specialParts(move: Move, claimed: ReadyRow): SpecialParts {
  const [time, low, random, , , , , , , , flags, , meta] = claimed;
  const content = metaOf({ meta });
  const { connection } = move.scope;
  return {
    id: idOf({ time, low, random, meta }),
    sources: (flags & FOLLOWER) === 0 ? undefined : sourcesOf(connection, move.queue, keyOf(time, low)),
    guards: guardsOf(content),
  };
}

function guardsOf({ gates, unique, after }: Meta): JobGuards | undefined {
  if (gates === undefined && unique === undefined && after === undefined) return undefined;
  return { gates: (gates ?? []).map(({ key }) => key), unique: unique?.key, after: after ?? [] };
}

/** The runs of a request that was answered before, and whose answer got lost. */
export function claimedBefore(move: Move, request: StepRequest, fence: number): readonly ClaimedJob[] {
  const lease = move
    .sql("SELECT jobs, until, length FROM {leases} WHERE queue = ? AND fence = ?")
    .get(move.queue.id, fence) as { jobs: Buffer; until: number; length: number } | undefined;
  if (lease === undefined || request.claim === undefined) return [];
  const jobs: ClaimedJob[] = [];
  for (const key of unpackKeys(lease.jobs)) {
    const row = activeRow(move, key, fence);
    if (row === undefined) continue;
    const claiming = { move, claim: request.claim, turn: { fence } } as Claiming;
    jobs.push({ ...jobOf(claiming, row, (row[10] & UNBEGUN) === 0), leaseUntil: lease.until });
  }
  return jobs;
}
