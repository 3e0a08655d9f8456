/** Moving a queue to another storage while a consumer works on it. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createConsumer } from "@taskq/consumer";
import { createQueue, moveQueue, task, TaskqError } from "@taskq/core";
import { sqliteStorage } from "@taskq/sqlite";

const add = task("add", async ({ a, b }: { a: number; b: number }) => a + b);
const fetchPage = task(
  "fetch-page",
  { limit: { max: 2, per: "1h" } },
  async (page: number) => `page ${page}`,
);
let tellMoving = (): void => {};
const moving = new Promise<void>((resolve) => (tellMoving = resolve));
// Runs as its queue moves, and ends where it is: what it enqueues goes along.
const crawl = task("crawl", async (site: string, { enqueue }) => {
  await moving;
  await enqueue(add.job({ a: 1, b: 2 }), { id: "enqueued by crawl" });
  return `crawled ${site}`;
});

const folder = await mkdtemp(join(tmpdir(), "taskq-moving-"));
const queueIn = (file: string) =>
  createQueue({
    storage: sqliteStorage({ path: join(folder, file) }),
    tasks: { add, fetchPage, crawl },
  });
const [from, to] = [queueIn("old.db"), queueIn("new.db")];
const codeOf = (reason: unknown): string => (reason instanceof TaskqError ? reason.code : String(reason));

const consumer = createConsumer(from, { workers: 2 });
const stopped = consumer.run().catch(codeOf);
const pages = await from.enqueueMany([1, 2].map((page) => fetchPage.job(page)));
console.log("at the old one:", await Promise.all(pages.map((page) => page.wait())));
await from.values.set("greeting", "hello");
const later = await from.enqueue(add.job({ a: 2, b: 3 }), { delay: "1h" });
const started = new Promise((resolve) => from.on("started", resolve));
const crawled = await from.enqueue(crawl.job("example.org"));
await started;

const patient = later.wait().catch(codeOf);
const { counts } = await moveQueue(from, to, {
  onProgress: ({ phase, active }) => {
    if (phase === "draining" && active > 0) tellMoving();
  },
});
console.log(`went along: ${counts?.["job completed"]} completed, ${counts?.["job waiting"]} waiting`);
console.log("the old consumer:", await stopped);
console.log("the old queue:", await from.enqueue(add.job({ a: 1, b: 1 })).catch(codeOf));
console.log("who waited there:", await patient);
console.log("still to be read there:", await crawled.wait());

// Consumers and producers begin at the new one. A limit that was used up stays so until its window has passed.
const next = createConsumer(to);
await next.start();
console.log("what crawl enqueued:", await to.result(add, "enqueued by crawl").wait());
console.log(
  "another page:",
  await to.limit("fetch-page", { max: 2, per: "1h", onLimit: "fail" }).acquire().catch(codeOf),
);
console.log("still scheduled:", await to.result(later.id).state());
console.log("greeting:", await to.values.get("greeting"));
console.log("counted:", (await to.stats()).total.completed);

await next.stop();
await from.close();
await to.close();
await rm(folder, { recursive: true });
