import { createConsumer } from "@taskq/consumer";
import { queue } from "./queue.js";
await createConsumer(queue, { workers: 4 }).run();
