import { plainJob } from "@taskq/conformance";
import { FEED_KEPT } from "@taskq/core/storage";
import { expect, test } from "vitest";
import { Feed } from "../src/feed.js";
import { newJobRow } from "../src/rows.js";

test("of more events than a feed keeps, the oldest are let go", () => {
  const job = plainJob("job", { named: true });
  const row = newJobRow(job, { flow: 0, order: 0, now: 0 });
  row.state = "completed";
  const feed = new Feed();
  feed.add(row, 0);
  expect(feed.last).toBe(0);
  feed.follow(10);
  let most = 0;
  for (let count = 0; count < FEED_KEPT * 1.25; count += 1) {
    feed.add(row, 0);
    most = Math.max(most, feed.last - feed.gone);
  }
  expect(feed.last).toBe(FEED_KEPT * 1.25);
  expect(most).toBeLessThanOrEqual(FEED_KEPT * 1.1);
  expect(feed.last - feed.gone).toBeGreaterThanOrEqual(FEED_KEPT);
  const { events } = feed.read("start", feed.gone, 2);
  expect(events.map(({ cursor }) => cursor)).toEqual([1, 2].map((n) => `${feed.tag}.${feed.gone + n}.0`));
});

test("an event that does not follow those before it is refused", () => {
  const feed = new Feed();
  feed.receive({ kind: "feed", tag: "t", last: 1e9, gone: 4, until: 9 });
  const event = {
    kind: "event",
    id: "1",
    task: "add",
    state: "completed",
    attempt: 1,
    fence: 1,
    time: 1,
    startedAt: 1,
    reason: undefined,
    error: undefined,
  } as const;
  feed.receive({ ...event, number: 5 });
  // The same page may come again.
  feed.receive({ ...event, number: 5 });
  for (const number of [7, 1e9, 4, -1, 5.5, Number.NaN]) {
    expect(() => feed.receive({ ...event, number })).toThrow(
      expect.objectContaining({ code: "TASKQ_MOVE", message: expect.stringContaining("expected event 6") }),
    );
  }
  feed.receive({ ...event, number: 6 });
  expect(
    [...feed.records()].map((record) => (record.kind === "event" ? record.number : record.last)),
  ).toEqual([1e9, 5, 6]);
});
