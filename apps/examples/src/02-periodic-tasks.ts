/** Periodic tasks fire by the clock: by a cron expression in a time zone, or at every multiple of an interval. */
import { createQueue, cron, every, periodic } from "@taskq/core";
import { advance, virtualClock } from "@taskq/core/testing";
import { memoryStorage } from "@taskq/memory";

const nightly = periodic(
  "nightly",
  cron("0 2 * * *", { timeZone: "Europe/Paris" }),
  async ({ scheduledAt }) => {
    console.log("nightly    stands for", scheduledAt.toISOString());
  },
);
const heartbeat = periodic("heartbeat", every("8h"), { overlap: "allow" }, async ({ scheduledAt }) => {
  console.log("heartbeat  stands for", scheduledAt.toISOString());
});

// Schedules are values too. In Paris, the clocks go forward on 29 March 2026: 02:00 is 03:00 then.
const night = cron({ hour: 2, minute: 0 }, { timeZone: "Europe/Paris" });
let instant = new Date("2026-03-27T12:00:00Z");
for (let count = 0; count < 3; count += 1) {
  instant = night.next(instant) ?? instant;
  console.log("next night:", instant.toISOString());
}

// An immediate queue on a virtual clock: a day passes in no time. A consumer does the same by the real clock.
await using queue = createQueue({
  storage: memoryStorage(),
  tasks: { nightly, heartbeat },
  immediate: true,
  clock: virtualClock(new Date("2026-11-21T12:00:00Z")),
});
await queue.revoke(heartbeat, { once: true });
await advance(queue, "1d");

// One run beside the schedule.
console.log("and by hand:");
await queue.enqueue(nightly.job());
