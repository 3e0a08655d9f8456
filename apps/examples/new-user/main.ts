import { createConsumer } from "@taskq/consumer";
import { queue } from "./queue.js";
import { add, sumOfDoubles } from "./tasks.js";

const consumer = createConsumer(queue, { workers: 4 });
await consumer.start();
const result = await queue.enqueue(add.job({ a: 2, b: 3 }));
const five: number = await result.wait({ timeout: "5s" });
console.log(`2 + 3 = ${five}`);
const doubled = await queue.enqueue(sumOfDoubles([1, 2, 3]));
console.log(`doubled and added up: ${(await doubled.wait({ timeout: "5s" })).toFixed(1)}`);
await consumer.stop();
const { completed } = await queue.counts();
console.log(`completed: ${completed}`);
await queue.close();
