/** The feed of jobs that became final. */
import {
  checkFeedStart,
  checkFeedTime,
  feedCursor,
  feedPosition,
  feedTag,
  type EventsAnswer,
  type EventsRequest,
  type FeedBounds,
  type StoredEvent,
} from "@taskq/core/storage";
import { SCRIPTS } from "./lua/scripts.js";
import type { OpenQueue } from "./open-queue.js";
import { eventOf } from "./wire/answers.js";
import { listOf, number, numberIfAny } from "./wire/values.js";

const NEVER = -1;

export async function events(queue: OpenQueue, request: EventsRequest): Promise<EventsAnswer> {
  const { from } = request;
  checkFeedStart(from);
  const { answer } = await queue.ask(SCRIPTS.events, request, { tag: feedTag() });
  const lost = answer["lost"] as unknown as FeedBounds | undefined;
  // It rejects: the script has found no position either.
  if (lost !== undefined) feedPosition(from, lost);
  const tag = answer["tag"] as string;
  const time = numberIfAny(answer["time"]);
  // Numbers are left out among those of several partitions, but none that was handed out.
  checkFeedTime(from, answer["isKept"] === true ? (time ?? NEVER) : undefined);
  const found = listOf(answer["events"], (record): StoredEvent => {
    return {
      ...eventOf(record),
      cursor: feedCursor({ tag }, record["number"] as number, number(record["time"])),
    };
  });
  const cursor = found.at(-1)?.cursor ?? feedCursor({ tag }, answer["position"] as number, time);
  return { events: found, cursor };
}
