import type { NewFlow } from "@taskq/core/storage";
import {
  edgesFrom,
  MEMBER,
  MEMBER_ADDED,
  ON_COMPLETED,
  ON_SETTLED,
  TURN,
  type EdgeRow,
} from "./edge-rows.js";
import { asSkipped, GROUP_FAILED } from "./dead.js";
import { enqueueWhole } from "./enqueue.js";
import { finish } from "./final.js";
import type { Move } from "./move.js";
import { ACTIVE, COMPLETED, isFinalState, JOIN, SKIPPED, TRUNKED, type Key, type Row } from "./row.js";
import { jobById, keyById, rowByKey } from "./rows.js";
import { spareFor } from "./spared.js";

/** Stores flows that a completed run adds, and makes what follows the run wait for them too. */
export function addFlows(move: Move, row: Row, flows: readonly NewFlow[]): void {
  const followers = followersOf(move, row);
  const vain = whyInVain(followers);
  const extended = followers.filter(isExtended).map(({ edge }) => edge);
  const trunks = trunksOf(move, extended);
  const [first] = trunks;
  const trunk = trunks.size === 1 ? (first ?? undefined) : undefined;
  for (const flow of flows) {
    const { endKey, stored } = enqueueWhole(move, flow, { trunk, elsewhere: true });
    if (endKey !== undefined && trunks.size > 1) spareFor(move, endKey, trunks);
    const end = endKey ?? keyById(move.scope.connection, move.queue, stored.id);
    if (end !== undefined) for (const edge of extended) extend(move, edge, end, stored.id);
    if (endKey !== undefined && vain !== undefined) skipAll(move, flow, vain);
  }
}

interface Follower {
  readonly edge: EdgeRow;
  readonly row: Row;
  /** Why it counts as given up. */
  readonly vain: Vain | undefined;
}

/** A group has failed. */
interface Vain {
  readonly cause: string;
  /** The group; `null`: it is not known any more. */
  readonly join: Key | null;
}

function followersOf(move: Move, source: Row): readonly Follower[] {
  const { connection } = move.scope;
  return edgesFrom(connection, source.key).flatMap((edge): readonly Follower[] => {
    const found = edge.condition === TURN ? undefined : rowByKey(connection, edge.target);
    if (found === undefined) return [];
    const row = asSkipped(connection, found);
    const isJoin = (row.flags & JOIN) !== 0;
    const isOver = isJoin ? row.state !== COMPLETED : row.reason === GROUP_FAILED;
    if (!isFinalState(row.state) || !isOver || row.cause === null) return [{ edge, row, vain: undefined }];
    return [{ edge, row, vain: { cause: row.cause, join: isJoin ? row.key : row.trunk } }];
  });
}

/** Why everything that follows is over, since its group has failed. */
function whyInVain(followers: readonly Follower[]): Vain | undefined {
  return followers.every(({ vain }) => vain !== undefined) ? followers[0]?.vain : undefined;
}

/** What is added for a group that has failed is given up with it, and found with it should the group be opened again. */
function skipAll(move: Move, { jobs }: NewFlow, { cause, join }: Vain): void {
  for (const { id } of jobs) {
    const row = jobById(move.scope.connection, move.queue, id);
    if (row === undefined || row.state >= ACTIVE) continue;
    finish(move, row, SKIPPED, { reason: GROUP_FAILED, cause });
    move.sql("UPDATE {jobs} SET trunk = ?, flags = flags | ? WHERE key = ?").run(join, TRUNKED, row.key);
    move.effect(row, "skipped", row);
  }
}

function isExtended({ edge, row }: Follower): boolean {
  const { condition } = edge;
  return EXTENDED.has(condition) && !isFinalState(row.state);
}

const EXTENDED: ReadonlySet<number> = new Set([ON_COMPLETED, ON_SETTLED, MEMBER, MEMBER_ADDED]);

/** The joins to which all that follows leads; `null` among them: some of it leads to none. */
function trunksOf(move: Move, edges: readonly EdgeRow[]): ReadonlySet<Key | null> {
  const trunks = new Set<Key | null>();
  const spared = move.raw("SELECT CAST(trunk AS TEXT) FROM {spared} WHERE key = ?");
  for (const { target } of edges) {
    const row = rowByKey(move.scope.connection, target);
    const trunk = row === undefined || (row.flags & JOIN) === 0 ? (row?.trunk ?? null) : row.key;
    trunks.add(trunk);
    if (trunk === null) for (const [join] of spared.all(target) as [Key][]) trunks.add(join);
  }
  return trunks;
}

/** The member of a join that its join waits for by this edge. */
function memberOf(move: Move, { source, target, position, condition }: EdgeRow): Key | null {
  if (condition === MEMBER) return source;
  if (condition !== MEMBER_ADDED) return null;
  const edge = move
    .raw("SELECT CAST(member AS TEXT) FROM {edges} WHERE source = ? AND target = ? AND position = ?")
    .get(source, target, position) as [Key | null];
  return edge[0];
}

function extend(move: Move, edge: EdgeRow, end: Key, id: string): void {
  const last = move.raw("SELECT max(position) FROM {edges} WHERE target = ?").get(edge.target) as [number];
  move
    .sql(
      "INSERT INTO {edges} (source, target, position, condition, id, follower, member) VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .run(
      end,
      edge.target,
      last[0] + 1,
      edge.condition === MEMBER ? MEMBER_ADDED : edge.condition,
      id,
      edge.follower,
      memberOf(move, edge),
    );
  move.sql("UPDATE {jobs} SET pending = pending + 1 WHERE key = ?").run(edge.target);
  move.sql("UPDATE {jobs} SET flags = flags | 1 WHERE key = ?").run(end);
  const row = rowByKey(move.scope.connection, end);
  if (row !== undefined && isFinalState(row.state)) move.finished.push(row);
}
