/** Flows that a completed run adds to what follows it. */
import { isFinal, type NewFlow } from "@taskq/core/storage";
import { addEdge, verdictOf } from "./edges.js";
import { storeFlows } from "./enqueue.js";
import { finishAll, reconsider } from "./finish.js";
import { extendMember, GROUP_FAILED } from "./joins.js";
import type { Move } from "./queue-state.js";
import type { Dependent, JobRow, Row } from "./rows.js";
import { report } from "./transition.js";

/** Stores flows, and makes whatever waits for the job wait for their ends too. The job itself is not final yet. */
export function addFlows(move: Move, row: JobRow, flows: readonly NewFlow[]): void {
  if (flows.length === 0) return;
  const followers = [...row.dependents];
  for (const { stored, jobs } of storeFlows(move, flows, { part: row.flow })) {
    const end = move.queue.rows.get(stored.id);
    if (end !== undefined) for (const follower of followers) extend(move, follower, end);
    skipIfInVain(move, followers, jobs);
  }
}

function extend(move: Move, follower: Dependent, end: Row): void {
  if (isFinal(follower.target.state)) return;
  if (!("on" in follower)) return extendMember(follower.target, follower.member, end);
  const { target, on } = follower;
  if (on === "failed") return;
  addEdge(target, end, on);
  // One that was there already may have ended otherwise than by completing.
  const verdict = verdictOf({ source: end, on });
  if (typeof verdict === "object") reconsider(move, target, verdict);
}

/** Everything that follows the job is over, since its group has failed: so is what it adds. */
function skipIfInVain(move: Move, followers: readonly Dependent[], jobs: readonly JobRow[]): void {
  const broken = followers.find(({ target }) => isOver(target))?.target.broken;
  if (broken === undefined || !followers.every(({ target }) => isOver(target))) return;
  const reason = GROUP_FAILED;
  const unstarted = jobs.filter(({ state }) => !isFinal(state));
  finishAll(move, unstarted, {
    state: "skipped",
    reason,
    broken: { root: broken.root, reason, failure: false },
  });
  for (const job of unstarted) report(move, job, "skipped", { reason, cause: broken.root.id });
}

/** Whether it is a failed join, or was given up together with one. */
function isOver({ kind, broken }: Row): boolean {
  return broken !== undefined && (kind === "join" || broken.reason === GROUP_FAILED);
}
