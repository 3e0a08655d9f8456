import { queue } from "./queue.js";
import { add } from "./tasks.js";
const result = await queue.enqueue(add.job({ a: 2, b: 3 }));
console.log(await result.wait({ timeout: "5s" })); // 5
