/** Jobs compose: one after the other, side by side, and what to do when something fails. */
import { createQueue, group, JobSkippedError, task, type FailureReport, type Outcome } from "@taskq/core";
import { createConsumer } from "@taskq/consumer";
import { memoryStorage } from "@taskq/memory";

const pages: Readonly<Record<string, string>> = { "/a": "one two three", "/b": "four five", "/c": "six" };

const fetchPage = task("fetch-page", async ({ path }: { path: string }) => {
  const text = pages[path];
  if (text === undefined) throw new Error(`404: ${path}`);
  return text;
});
const countWords = task("count-words", async (text: string) => text.split(" ").length);
const scale = task("scale", async ({ input, factor }: { input: number; factor: number }) => input * factor);
const sum = task("sum", async (counts: readonly number[]) =>
  counts.reduce((total, count) => total + count, 0),
);
const report = task("report", async (outcomes: readonly Outcome<number>[]) =>
  outcomes
    .map((outcome) => (outcome.state === "completed" ? `${outcome.value} words` : outcome.state))
    .join(", "),
);
const alertTeam = task("alert-team", async ({ task: name, error, attempts }: FailureReport) => {
  console.log(`alert: ${name} failed on run ${attempts}: ${error.message}`);
});
const crawl = task("crawl", async (_: void, { enqueue }) => {
  // What follows the crawl waits for these too.
  for (const path of Object.keys(pages)) await enqueue(fetchPage.job({ path }), { join: true });
});
const tidyUp = task("tidy-up", async () => console.log("tidy-up: everything is fetched"));

const tasks = { fetchPage, countWords, scale, sum, report, alertTeam, crawl, tidyUp };
await using queue = createQueue({ storage: memoryStorage(), tasks });
await using consumer = createConsumer(queue, { workers: 4 });
await consumer.start();

// A pipeline: what one yields is the input of the next. An output that is no object becomes the field `input`.
const pipeline = fetchPage.job({ path: "/a" }).pipe(countWords).pipe(scale, { factor: 5 });
const flow = await queue.enqueue(pipeline);
console.log("pipeline:", await flow.wait());
const stages = await Promise.all(flow.stages.map((stage) => stage.peek()));
console.log(
  "its stages:",
  stages.map((outcome) => outcome?.state === "completed" && outcome.value).join(" -> "),
);

// A group: side by side, in the order given. A group piped into a task is a chord.
const all = Object.keys(pages).map((path) => fetchPage.job({ path }).pipe(countWords));
console.log("group:", await (await queue.enqueue(group(all))).wait());
console.log("chord:", await (await queue.enqueue(group(all).pipe(sum))).wait());

// One member fails: the group fails, what follows is skipped, and the handler is told once.
const broken = group([...all, fetchPage.job({ path: "/nowhere" }).pipe(countWords)]);
const failing = await queue.enqueue(broken.pipe(sum).onError(alertTeam));
const error = await failing.wait().catch((reason: unknown) => reason);
console.log("group with a failing member:", error instanceof JobSkippedError && error.message);

// Or it is settled: outcomes instead of outputs, and it always goes on.
const settled = group([...all, fetchPage.job({ path: "/nowhere" }).pipe(countWords)], { mode: "settled" });
console.log("settled:", await (await queue.enqueue(settled.pipe(report))).wait());

await (await queue.enqueue(crawl.job().pipe(tidyUp))).wait();
