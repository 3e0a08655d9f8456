/** Runs the bean jobs: `node bean-consumer.js <file or key prefix>`. It ends at SIGTERM, or when its parent is gone. */
import { createConsumer } from "@taskq/consumer";
import { openBeanQueue } from "./bean-queue.js";

await using queue = openBeanQueue(process.argv[2] ?? "");
const orphaned = new AbortController();
process.once("disconnect", () => orphaned.abort());
await createConsumer(queue, { workers: 2 }).run({ signal: orphaned.signal });
if (process.connected) process.disconnect();
