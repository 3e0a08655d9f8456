/**
 * The feed of a queue in several partitions: that of the home partition, among whose events those of the others are put,
 * by instant, before anybody reads them.
 */
import {
  checkFeedStart,
  feedCursor,
  feedNumber,
  type EventsAnswer,
  type EventsRequest,
  type QueuePhase,
  type StoredEvent,
} from "@taskq/core/storage";
import type { DividedQueue } from "./divided-queue.js";
import { isCode } from "./is-code.js";
import { HOME } from "./place.js";
import { gather, gathered, GATHERED_KEY } from "./feed-scripts.js";

/** Events of one partition that are gathered at once: those of home that nobody has read are written anew with each part. */
const PAGE = 2_000;

export async function events(queue: DividedQueue, request: EventsRequest): Promise<EventsAnswer> {
  checkFeedStart(request.from);
  const { followed, phase } = await stateOf(queue, request.now);
  // One that has left was gathered before, and one that arrives says so.
  if (phase === "left" || phase === "arriving") return queue.home.events(request);
  // From now on it is told what becomes final.
  if (!followed) await queue.home.events({ ...request, from: "now" });
  const settled = await gatherEvents(queue, request.now);
  return upToNumber(await queue.home.events(request), settled);
}

/** What came in between waits until it has been put in its order. */
function upToNumber(answer: EventsAnswer, settled: number): EventsAnswer {
  const found = answer.events.filter(({ cursor }) => feedNumber(cursor) <= settled);
  const [tag = ""] = answer.cursor.split(".");
  const last = feedNumber(answer.cursor) <= settled ? answer.cursor : feedCursor({ tag }, settled);
  return { events: found, cursor: found.at(-1)?.cursor ?? last };
}

/** Now and then, so that whoever comes back after a while finds little to gather: each part of it writes all the rest anew. */
export async function keepGathered(queue: DividedQueue, now: number | undefined): Promise<void> {
  const { followed, phase } = await stateOf(queue, now);
  if (followed && phase === "open") await gatherEvents(queue, now);
}

/** Goes on being told by the other partitions, if the home partition is followed. */
export async function goOnFollowing(queue: DividedQueue, now: number | undefined): Promise<void> {
  const { followed } = await stateOf(queue, now);
  if (followed) await gatherEvents(queue, now);
}

/** The feeds of the others begin anew, those of a queue that has lived elsewhere. */
export async function forgetGathered(queue: DividedQueue, now: number | undefined): Promise<void> {
  const asked = { queue: queue.name, now, positions: [], events: [], anew: true };
  await queue.queue(HOME).askBeside(gather, [GATHERED_KEY], asked);
}

interface FeedState {
  /** By partition: the cursor behind which it has not been gathered. `settled`: the number up to which all is as it stays. */
  readonly positions: ReadonlyMap<string, string>;
  readonly followed: boolean;
  readonly phase: QueuePhase;
  /** The number of the last event. */
  readonly last: string;
}

async function stateOf(queue: DividedQueue, now: number | undefined): Promise<FeedState> {
  const answer = await queue.queue(HOME).askBeside(gathered, [GATHERED_KEY], { queue: queue.name, now });
  const list = answer["positions"];
  const pairs = Array.isArray(list) ? (list as [string, string][]) : [];
  return {
    positions: new Map(pairs),
    followed: answer["followed"] === true,
    phase: answer["phase"] as QueuePhase,
    last: answer["last"] as string,
  };
}

/** Each event once, whoever else does the same; answers the number up to which all is as it stays. */
async function gatherEvents(queue: DividedQueue, now: number | undefined): Promise<number> {
  for (;;) {
    const { positions, last } = await stateOf(queue, now);
    const pages = await pagesOf(queue, positions, now);
    const news = pages.filter(({ partition, page }) => positions.get(partition) !== page.cursor);
    // Reading writes nothing where nothing has happened.
    if (news.length === 0 && positions.get("settled") === last) return Number(last);
    // What lies behind a page that is full may belong before what others have told.
    const till = Math.min(...news.map(({ page }) => lastTimeOf(page)));
    const parts = news.map((one) => upToTime(one, till, positions.get(one.partition)));
    const answer = await queue.queue(HOME).askBeside(gather, [GATHERED_KEY], {
      queue: queue.name,
      now,
      till: Number.isFinite(till) ? till : undefined,
      positions: parts.map(({ partition, from, cursor, isBroken }) => [partition, from, cursor, isBroken]),
      events: merged(parts.map(({ partition, taken }) => taken.map((event) => ({ ...event, partition })))),
    });
    if (!Number.isFinite(till)) return answer["settled"] as number;
  }
}

interface GatheredPage {
  readonly partition: string;
  readonly page: PartPage;
}

interface PartPage extends EventsAnswer {
  /** Events that were not gathered are gone. */
  readonly isBroken: boolean;
}

async function pagesOf(
  queue: DividedQueue,
  positions: FeedState["positions"],
  now: number | undefined,
): Promise<readonly GatheredPage[]> {
  const pages = await queue.others(async (_, number) => {
    const partition = String(number);
    return { partition, page: await pageOf(queue, number, positions.get(partition), now) };
  });
  return pages.filter((one): one is GatheredPage => one.page !== undefined);
}

function lastTimeOf({ events: list }: EventsAnswer): number {
  return list.length < PAGE ? Infinity : (list.at(-1)?.time ?? Infinity);
}

interface Taken {
  readonly partition: string;
  /** Where it was gathered from, and where to go on. */
  readonly from: string;
  readonly cursor: string;
  readonly taken: readonly StoredEvent[];
  readonly isBroken: boolean;
}

function upToTime({ partition, page }: GatheredPage, till: number, before: string | undefined): Taken {
  const { isBroken } = page;
  const from = before ?? "";
  const end = page.events.findIndex(({ time }) => time > till);
  if (end < 0) return { partition, from, cursor: page.cursor, taken: page.events, isBroken };
  const taken = page.events.slice(0, end);
  return { partition, from, cursor: taken.at(-1)?.cursor ?? from, taken, isBroken };
}

/** By instant, then by id; what one partition has told keeps its order. */
function merged<Event extends StoredEvent>(lists: readonly (readonly Event[])[]): readonly Event[] {
  const all: Event[] = [];
  const at = lists.map(() => 0);
  for (;;) {
    let first: Event | undefined;
    let from = 0;
    for (const [number, list] of lists.entries()) {
      const event = list[at[number] ?? 0];
      if (event === undefined || (first !== undefined && !isBefore(event, first))) continue;
      first = event;
      from = number;
    }
    if (first === undefined) return all;
    at[from] = (at[from] ?? 0) + 1;
    all.push(first);
  }
}

function isBefore(left: StoredEvent, right: StoredEvent): boolean {
  return left.time === right.time ? left.id < right.id : left.time < right.time;
}

/** `undefined`: it has moved, and all of it was gathered before. */
async function pageOf(
  queue: DividedQueue,
  number: number,
  from: string | undefined,
  now: number | undefined,
): Promise<PartPage | undefined> {
  const asked = { queue: queue.name, limit: PAGE, now };
  const read = (position: string): Promise<EventsAnswer> =>
    queue.part(number).events({ ...asked, from: position });
  try {
    return { ...(await read(from ?? "now")), isBroken: false };
  } catch (error) {
    // It was flushed, or not read for seven days: what is left of it goes on.
    if (isCode(error, "TASKQ_EVENTS_LOST")) return { ...(await read("start")), isBroken: true };
    if (isCode(error, "TASKQ_MOVED")) return undefined;
    throw error;
  }
}
