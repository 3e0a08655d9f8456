/** Runs so many jobs of one task, each of so many virtual milliseconds, and then ends or lives on. */
import { createQueue, task } from "@taskq/core";
import { virtualClock } from "@taskq/core/testing";
import { sqliteStorage } from "@taskq/sqlite";

const { TASKQ_FILE, TASKQ_JOBS, TASKQ_TAKES, TASKQ_START, TASKQ_LIVES } = process.env;
const clock = virtualClock(new Date(Number(TASKQ_START)));
const work = task("work", async () => clock.advance(Number(TASKQ_TAKES)));
const queue = createQueue({
  storage: sqliteStorage({ path: TASKQ_FILE }),
  tasks: { work },
  immediate: true,
  clock,
});
for (let job = 0; job < Number(TASKQ_JOBS); job += 1) await queue.enqueue(work.job());
if (TASKQ_LIVES === "1") setInterval(() => {}, 1_000);
else await queue.close();
process.send("done");
if (TASKQ_LIVES !== "1") process.disconnect();
