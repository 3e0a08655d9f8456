/** What the partitions have to hand out, and how much of a claim each of them is asked for. */
import type { ClaimRequest, QueuePhase } from "@taskq/core/storage";
import type { Reply } from "../connection/client.js";
import type { OpenQueue } from "../open-queue.js";
import { QueueGone } from "../opening/open-again.js";
import { peek, raise } from "./scripts.js";

/** A job that is ready, or due. */
interface Head {
  readonly priority: number;
  readonly due: number;
  /** Within its partition. */
  readonly order: number;
  /** Ids that core made sort as they were made. */
  readonly key: string;
}

export interface Peeked {
  readonly phase: QueuePhase;
  /** Something is to be done before its first jobs are known: a gate opens, a line goes on. */
  readonly needs: boolean;
  /** Runs were revoked of which their owner is to be told. */
  readonly flagged: boolean;
  /** Jobs that are ready or due; at least so many. */
  readonly count: number;
  readonly nextDue: number | undefined;
  /** Tasks that are revoked once, and until when. */
  readonly once: readonly { readonly task: string; readonly until: number | undefined }[];
  /** The last fence that was given there. */
  readonly fence: number;
  /** The first of them, in their order. */
  readonly heads: readonly Head[];
}

/** Heads that one look answers, at most. */
const MOST_HEADS = 128;

interface PeekOptions {
  readonly now: number | undefined;
  /** Jobs that a claim would take. */
  readonly wanted: number;
  /** Those that are known, each between two line feeds. */
  readonly tasks: string;
  /** Another partition has given this one: those given here are to be greater. */
  readonly fence?: number | undefined;
}

export async function peekAt(
  queue: OpenQueue,
  { now, wanted, tasks, fence: least }: PeekOptions,
): Promise<Peeked> {
  const asked = [now ?? "", Math.min(wanted, MOST_HEADS), tasks, least ?? ""];
  const reply = await queue.presence.during(async () => repliedBy(await queue.run(peek, asked)));
  const [phase, needs, flagged, count, nextDue, once, ready, due, fence] = reply;
  const text = String(nextDue);
  return {
    phase: String(phase) as QueuePhase,
    needs: needs === 1,
    flagged: flagged === 1,
    count: Number(count),
    fence: Number(String(fence)),
    nextDue: text === "" ? undefined : Number(text),
    once: (once as readonly (readonly Buffer[])[]).map(([task, until]) => ({
      task: String(task),
      until: until === undefined || until.length === 0 ? undefined : Number(until.toString()),
    })),
    heads: inOrder([...readyHeads(ready as readonly Buffer[]), ...dueHeads(due as readonly Buffer[])]),
  };
}

/** What a script answers that looks at one partition. @throws `TASKQ_STORAGE` for one of which there is nothing */
export function repliedBy(reply: Reply): readonly Reply[] {
  if (Array.isArray(reply)) return reply as readonly Reply[];
  throw new QueueGone("the queue is not open: there is nothing of one of its partitions on the server");
}

const HIGHEST = 2_147_483_647;
/** What is shorter than any entry of ours, as somebody has written it, goes first: whoever is asked for it removes it. */
const FIRST: Head = { priority: HIGHEST, due: 0, order: 0, key: "" };

function readyHeads(list: readonly Buffer[]): Head[] {
  return pairs(list, 12, (member, score) => ({
    priority: 0 - score,
    due: member.readUIntBE(0, 6),
    order: member.readUIntBE(6, 6),
    key: member.toString("latin1", 12),
  }));
}

function dueHeads(list: readonly Buffer[]): Head[] {
  return pairs(list, 10, (member, score) => ({
    priority: HIGHEST - member.readUInt32BE(0),
    due: score,
    order: member.readUIntBE(4, 6),
    key: member.toString("latin1", 10),
  }));
}

/** @param least bytes of a member before the key */
function pairs(
  list: readonly Buffer[],
  least: number,
  head: (member: Buffer, score: number) => Head,
): Head[] {
  const heads: Head[] = [];
  for (let at = 0; at + 1 < list.length; at += 2) {
    const member = list[at] as Buffer;
    heads.push(member.length < least ? FIRST : head(member, Number((list[at + 1] as Buffer).toString())));
  }
  return heads;
}

/** As their partition has them: the ready ones, those in blocks, and the due ones are told one behind the other. */
function inOrder(heads: readonly Head[]): readonly Head[] {
  return heads.toSorted(
    (left, right) => right.priority - left.priority || left.due - right.due || left.order - right.order,
  );
}

function compare(left: Head, right: Head): number {
  return right.priority - left.priority || left.due - right.due || (left.key < right.key ? -1 : 1);
}

/** Fences given there from now on are greater than this one. */
export async function raiseFence(queue: OpenQueue, fence: number): Promise<void> {
  await queue.runWhole(raise, [fence]);
}

/** What one partition is to hand out. */
export interface Share {
  readonly partition: number;
  readonly begin: number;
  readonly ahead: number;
}

/**
 * Which partitions have the first jobs of all, and how many of them each; the one with the very first comes first. The first of all
 * begin, whichever have them, and those behind them are claimed ahead.
 */
export function sharesOf(
  peeks: readonly Peeked[],
  { begin, ahead }: Pick<ClaimRequest, "begin" | "ahead">,
): readonly Share[] {
  const wanted = begin + ahead;
  const taken = peeks.map(() => 0);
  const begins = peeks.map(() => 0);
  const order: number[] = [];
  for (let number = 0; number < wanted; number += 1) {
    const partition = firstOf(peeks, taken);
    if (partition === undefined) break;
    if (taken[partition] === 0) order.push(partition);
    taken[partition] = (taken[partition] ?? 0) + 1;
    if (number < begin) begins[partition] = (begins[partition] ?? 0) + 1;
  }
  const all = order.map((partition) => ({ partition, count: taken[partition] ?? 0 }));
  const few = fewer(peeks, all);
  let left = begin;
  return (few ?? all).map(({ partition, count }) => {
    const own = few === undefined ? (begins[partition] ?? 0) : Math.min(left, count);
    left -= own;
    return { partition, begin: own, ahead: count - own };
  });
}

/** Of a partition that has so many, jobs may be taken a little before those of others. */
const MANY = 1_000;
/** Then each partition that is asked gives so many at least. */
const AT_LEAST = 16;

interface Count {
  readonly partition: number;
  readonly count: number;
}

/**
 * A call costs a server as much as two jobs: where so much waits that a few places more or less are nothing, fewer partitions are asked,
 * those whose jobs come first. Never are jobs of a lower priority taken for it.
 */
function fewer(peeks: readonly Peeked[], counts: readonly Count[]): readonly Count[] | undefined {
  const wanted = counts.reduce((sum, { count }) => sum + count, 0);
  const most = Math.max(1, Math.floor(wanted / AT_LEAST));
  if (counts.length <= most) return undefined;
  const asked = counts.slice(0, most);
  const each = Math.ceil(wanted / most);
  const lowest = Math.min(...counts.map(({ partition, count }) => priorityAt(peeks[partition], count)));
  const isFine = asked.every(({ partition }) => {
    const peeked = peeks[partition];
    return peeked !== undefined && peeked.count >= MANY && priorityAt(peeked, each) >= lowest;
  });
  if (!isFine || counts.some(({ partition }) => (peeks[partition]?.count ?? 0) < MANY)) return undefined;
  let left = wanted;
  return asked.map(({ partition }) => {
    const count = Math.min(each, left);
    left -= count;
    return { partition, count };
  });
}

/** Of the job at this place, as far as it was seen. */
function priorityAt(peeked: Peeked | undefined, place: number): number {
  return (peeked?.heads[place - 1] ?? peeked?.heads.at(-1))?.priority ?? 0;
}

function firstOf(peeks: readonly Peeked[], taken: readonly number[]): number | undefined {
  let first: number | undefined;
  let best: Head | undefined;
  for (const [partition, peeked] of peeks.entries()) {
    const at = taken[partition] ?? 0;
    if (at >= peeked.count) continue;
    // Behind the last one that was seen, others are taken to be like it.
    const head = peeked.heads[at] ?? peeked.heads.at(-1);
    if (head === undefined || (best !== undefined && compare(best, head) <= 0)) continue;
    first = partition;
    best = head;
  }
  return first;
}
