/** The feed of a queue in several partitions: that of the home partition, behind which those of the others are put. */
import { checkFeedStart, TaskqError, type EventsAnswer, type EventsRequest } from "@taskq/core/storage";
import type { DividedQueue } from "./divided-queue.js";
import { HOME } from "./place.js";
import { gather, gathered, GATHERED_KEY } from "./scripts.js";

/** Events of one partition that are gathered at once. */
const PAGE = 500;

export async function events(queue: DividedQueue, request: EventsRequest): Promise<EventsAnswer> {
  checkFeedStart(request.from);
  await gatherEvents(queue, request.now);
  return queue.home.events(request);
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
  /** By partition: the cursor behind which it has not been gathered. */
  readonly positions: ReadonlyMap<string, string>;
  readonly followed: boolean;
}

async function stateOf(queue: DividedQueue, now: number | undefined): Promise<FeedState> {
  const answer = await queue.queue(HOME).askBeside(gathered, [GATHERED_KEY], { queue: queue.name, now });
  const list = answer["positions"];
  const pairs = Array.isArray(list) ? (list as [string, string][]) : [];
  return { positions: new Map(pairs), followed: answer["followed"] === true };
}

/** Puts what the others have behind what is at home: each event once, whoever else does the same. */
async function gatherEvents(queue: DividedQueue, now: number | undefined): Promise<void> {
  for (;;) {
    const { positions } = await stateOf(queue, now);
    const pages = (
      await queue.others(async (_, number) => ({
        partition: String(number),
        page: await pageOf(queue, number, positions.get(String(number)), now),
      }))
    ).filter((one): one is GatheredPage => one.page !== undefined);
    const news = pages.filter(({ partition, page }) => positions.get(partition) !== page.cursor);
    if (news.length === 0) return;
    // What lies behind a page that is full may belong before what others have told.
    const till = Math.min(...news.map(({ page }) => lastTimeOf(page)));
    const parts = news.map(({ partition, page }) => upTo(partition, page, till, positions.get(partition)));
    const found = parts
      .flatMap(({ partition, taken }) => taken.map((event) => ({ ...event, partition })))
      .toSorted((left, right) => left.time - right.time);
    await queue.queue(HOME).askBeside(gather, [GATHERED_KEY], {
      queue: queue.name,
      now,
      positions: parts.map(({ partition, from, cursor, isBroken }) => [partition, from, cursor, isBroken]),
      events: found,
    });
    if (!pages.some(({ page }) => page.events.length === PAGE)) return;
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

function lastTimeOf({ events: list }: EventsAnswer): number {
  return list.length < PAGE ? Infinity : (list.at(-1)?.time ?? Infinity);
}

function upTo(
  partition: string,
  page: PartPage,
  till: number,
  before: string | undefined,
): {
  readonly partition: string;
  readonly from: string;
  readonly cursor: string;
  readonly taken: EventsAnswer["events"];
  readonly isBroken: boolean;
} {
  const { isBroken } = page;
  const from = before ?? "";
  const end = page.events.findIndex(({ time }) => time > till);
  if (end < 0) return { partition, from, cursor: page.cursor, taken: page.events, isBroken };
  const taken = page.events.slice(0, end);
  return { partition, from, cursor: taken.at(-1)?.cursor ?? from, taken, isBroken };
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

function isCode(error: unknown, code: string): boolean {
  return error instanceof TaskqError && error.code === code;
}
