/** A consumer process: `node consumer.js <file or key prefix> <workers>`. It ends at SIGTERM, or when its parent is gone. */
import { createConsumer } from "@taskq/consumer";
import type { FileCount } from "./count-file.js";
import { countFile } from "./file-tasks.js";
import { isCounted, openQueue, type DemoQueue } from "./queue.js";
import type { Report } from "./report.js";

const REPORT_EVERY = 100; // milliseconds

const [place = "", workers = "4"] = process.argv.slice(2);
await using queue = openQueue(place);
const orphaned = new AbortController();
process.once("disconnect", () => orphaned.abort());

queue.on("*", (event) => {
  const usual = event.type === "started" || event.type === "completed";
  if (!isCounted(event) || !usual) send({ kind: "event", event });
});
const stopCounting = reportCounts(queue);

await using consumer = createConsumer(queue, {
  workers: Number(workers),
  grace: "5s",
  setup: () => send({ kind: "ready" }),
});
await consumer.run({ signal: orphaned.signal });
stopCounting();
if (process.connected) process.disconnect();

/** Thousands of jobs are told of ten times a second, not one by one. */
function reportCounts(counted: DemoQueue): () => void {
  let [files, words] = [0, 0];
  counted.use({
    async run(context, next) {
      if (context.task !== countFile.name) return next();
      try {
        const output = await next();
        words += (output as FileCount).words;
        return output;
      } finally {
        files += 1;
      }
    },
  });
  const report = (): void => {
    if (files > 0) send({ kind: "counted", files, words });
    [files, words] = [0, 0];
  };
  const timer = setInterval(report, REPORT_EVERY);
  return () => {
    clearInterval(timer);
    report();
  };
}

function send(report: Report): void {
  if (process.connected) process.send?.(report);
}
