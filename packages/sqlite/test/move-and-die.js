/** Moves a queue between two files, and dies by SIGKILL at one of its calls. */
import { dyingStorage } from "@taskq/conformance";
import { createQueue, moveQueue } from "@taskq/core";
import { sqliteStorage } from "@taskq/sqlite";

const { from, to, call, point } = JSON.parse(process.argv[2]);
const dying = dyingStorage({ call, when: point });
const queues = [from, to].map((path) => createQueue({ storage: dying(sqliteStorage({ path })), tasks: {} }));
const report = await moveQueue(queues[0], queues[1]);
process.send?.(report);
for (const queue of queues) await queue.close();
process.disconnect?.();
