/** Schedules made at run time: stored, so that every consumer fires them, each instant once. */
import { createQueue, cron, every, task } from "@taskq/core";
import { createConsumer } from "@taskq/consumer";
import { memoryStorage } from "@taskq/memory";

const report = task("report", async ({ customer }: { customer: string }) => `report for ${customer}`);
const print = task("print", async (text: string) => console.log("printed:", text));

await using queue = createQueue({ storage: memoryStorage(), tasks: { report, print } });
await using consumer = createConsumer(queue);
await consumer.start();

// Any job may be scheduled, pipelines too.
await queue.schedules.upsert("report-acme", {
  schedule: cron("0 8 * * 1", { timeZone: "America/New_York" }),
  job: report.job({ customer: "ACME" }).pipe(print),
  misfire: "skip",
});
await queue.schedules.upsert("ping", {
  schedule: every("1m"),
  job: report.job({ customer: "all" }),
  overlap: "queue",
});

// Those of periodic tasks are listed too, once a consumer has made them known.
const names: string[] = [];
for await (const { name, origin, expression } of queue.schedules.list())
  names.push(`${name} (${origin}, ${expression})`);
for (const line of names.toSorted()) console.log("schedule:", line);

const instants = await queue.schedules.preview("report-acme", 3);
const weekday = new Intl.DateTimeFormat("en", {
  weekday: "long",
  hour: "numeric",
  timeZone: "America/New_York",
});
console.log("next three:", instants.map((instant) => weekday.format(instant)).join(" / "));

// Now, beside the schedule.
const triggered = await queue.schedules.trigger("report-acme");
await triggered.wait({ timeout: "5s" });

console.log(
  "paused:",
  await queue.schedules.pause("ping"),
  "- resumed:",
  await queue.schedules.resume("ping"),
);
console.log(
  "removed:",
  await queue.schedules.remove("ping"),
  "- again:",
  await queue.schedules.remove("ping"),
);
