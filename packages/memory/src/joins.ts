/** Joins: what they wait for, and who is let go when one fails. */
import { isFinal } from "@taskq/core/storage";
import type { Broken, Dependent, JoinRow, Row } from "./rows.js";

/** The reason of those that a failed join no longer waits for. */
export const GROUP_FAILED = "group failed";

/** Makes a row a member, which is counted when it is final. */
export function addMember(join: JoinRow, member: Row): void {
  member.dependents.push({ target: join, member });
  if (!isFinal(member.state)) join.waitingFor += 1;
}

/** Makes a join wait for a flow that one of its members added. */
export function extendMember(join: JoinRow, member: Row, end: Row): void {
  addPart(join, member, end);
  if (!isFinal(end.state)) join.waitingFor += 1;
  // The join is told as soon as the member ends.
  else if (join.mode === "all") join.foreseen ??= end.broken;
}

/** Links what a member added to its join. */
export function addPart(join: JoinRow, member: Row, end: Row): void {
  const ends = join.added.get(member);
  if (ends === undefined) join.added.set(member, [end]);
  else ends.push(end);
  end.dependents.push({ target: join, member });
}

/** Counts anew what a join waits for. */
export function recountMembers(join: JoinRow): void {
  join.waitingFor = sourcesOf(join).filter(({ state }) => !isFinal(state)).length;
  join.foreseen = undefined;
}

/** Why a join in mode `all` fails, if one of its members, or of what they added, broke it. */
export function brokenMember(join: JoinRow): Broken | undefined {
  if (join.mode === "settled") return undefined;
  for (const member of join.members) {
    const parts = [member, ...(join.added.get(member) ?? [])];
    const broken = parts.find((part) => part.broken !== undefined)?.broken;
    if (broken !== undefined) return broken;
  }
  return undefined;
}

/**
 * Unfinished jobs and joins of its flow before a failed join that are not running and lead nowhere else. Error handlers
 * do not count as elsewhere: they run for failures of their own only.
 */
export function strandedBefore(join: JoinRow): ReadonlySet<Row> {
  const stranded = waitingBefore(join);
  const spared = [...stranded].filter((row) =>
    row.dependents.some((other) => leadsElsewhere(other, join, stranded)),
  );
  for (let row = spared.pop(); row !== undefined; row = spared.pop()) {
    if (stranded.delete(row)) spared.push(...sourcesOf(row));
  }
  return stranded;
}

function waitingBefore(join: JoinRow): Set<Row> {
  const waiting = new Set<Row>();
  const seen = new Set<Row>([join]);
  const open = [...sourcesOf(join)];
  for (let row = open.pop(); row !== undefined; row = open.pop()) {
    if (seen.has(row) || row.flow !== join.flow) continue;
    seen.add(row);
    if (!isFinal(row.state) && row.state !== "active") waiting.add(row);
    open.push(...sourcesOf(row));
  }
  return waiting;
}

/** The failed join to which an unfinished row leads, if it leads nowhere else. */
export function failedGroupOf(row: Row): JoinRow | undefined {
  return row.dependents.some(isAwaited) ? undefined : failedGroupBehind(row);
}

/** The same, of some that wait again: what one leads to may have been opened with it, and lead to that join alone. */
export function failedGroupsAhead(rows: readonly Row[]): ReadonlyMap<Row, JoinRow | undefined> {
  const known = new Map<Row, JoinRow | undefined>();
  const open = rows.toReversed();
  // Of what follows first: flows may be thousands of stages long.
  for (let row = open.at(-1); row !== undefined; row = open.at(-1)) {
    const ahead = row.dependents.filter(isAwaited).map(({ target }) => target);
    if (known.has(row)) {
      known.set(row, groupAhead(row, ahead, known));
      open.pop();
    } else {
      known.set(row, undefined);
      for (const target of ahead) if (target.flow === row.flow && !known.has(target)) open.push(target);
    }
  }
  return known;
}

function groupAhead(
  row: Row,
  ahead: readonly Row[],
  known: ReadonlyMap<Row, JoinRow | undefined>,
): JoinRow | undefined {
  if (ahead.length === 0) return failedGroupBehind(row);
  const found = ahead.map((target) => (target.flow === row.flow ? known.get(target) : undefined));
  return found.includes(undefined) ? undefined : found.at(-1);
}

/**
 * The failed join of its flow that is there, at any distance, to which a row leads.
 *
 * @param passed rows from which none was found before; those from which none is found are added.
 */
export function failedGroupBehind(row: Row, passed: Set<Row> = new Set()): JoinRow | undefined {
  const seen = new Set<Row>([row]);
  for (const next of seen) {
    if (passed.has(next)) continue;
    passed.add(next);
    for (const { target } of next.dependents) {
      if (target.removed || target.flow !== row.flow) continue;
      if (target.kind === "join" && target.broken !== undefined) return target;
      if (target.broken !== undefined) seen.add(target);
    }
  }
  return undefined;
}

function isAwaited(dependent: Dependent): boolean {
  return !isFinal(dependent.target.state) && !("on" in dependent && dependent.on === "failed");
}

function leadsElsewhere(dependent: Dependent, join: JoinRow, stranded: ReadonlySet<Row>): boolean {
  const { target } = dependent;
  return target !== join && !stranded.has(target) && isAwaited(dependent);
}

/** What a row waits for, or waited for. */
export function sourcesOf(row: Row): readonly Row[] {
  if (row.kind === "job") return row.edges.map(({ source }) => source);
  return row.added.size === 0 ? row.members : [...row.members, ...[...row.added.values()].flat()];
}
