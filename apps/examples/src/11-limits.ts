/** Limits: never more than so many starts in any window of a time, over all processes. */
import { createQueue, task, TaskqError } from "@taskq/core";
import { advance, virtualClock } from "@taskq/core/testing";
import { memoryStorage } from "@taskq/memory";

const clock = virtualClock(new Date("2026-11-21T12:00:00Z"));
const second = (): string => new Date(clock.now()).toISOString().slice(17, 19);

// Two calls a second, of all jobs of this task together: the others wait, and use up neither a worker nor a retry.
const fetchPage = task("fetch-page", { limit: { max: 2, per: "1s" } }, async (page: number) => {
  console.log(`page ${page} at second ${second()}`);
});

// For each tenant one mail in a minute; what comes too soon is dropped: it ends skipped.
const digest = task(
  "digest",
  { limit: { key: ({ tenant }: { tenant: string }) => tenant, max: 1, per: "1m", onLimit: "drop" } },
  async ({ tenant }: { tenant: string }) => `mail to ${tenant}`,
);

// In time that the program moves; a consumer does the same by the real clock.
await using queue = createQueue({
  storage: memoryStorage(),
  tasks: { fetchPage, digest },
  immediate: true,
  clock,
});
const pages = await queue.enqueueMany([1, 2, 3, 4, 5].map((page) => fetchPage.job(page)));
const { causes } = await queue.why(pages[4]?.id ?? "");
console.log("the last:", causes[0]?.code, "-", causes[0]?.message);
await advance(queue, "2s");

for (const tenant of ["acme", "acme", "initech"]) {
  const result = await queue.enqueue(digest.job({ tenant }));
  console.log(`digest of ${tenant}:`, await result.state());
}

// The same starts, taken anywhere: in a web request, in a handler as context.limit.
const api = { max: 2, per: "1s" } as const;
console.log("called:", await queue.limit("api", api).run(() => "an answer"));
await queue.limit("api", api).acquire();
const refused = await queue
  .limit("api", { ...api, onLimit: "fail" })
  .acquire()
  .catch((reason: unknown) => reason);
console.log("a third in this second:", refused instanceof TaskqError && refused.code);
