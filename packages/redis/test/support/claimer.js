/** Claims jobs of a queue in several partitions, says which, and does nothing with them: to be killed. */
import { redisStorage } from "../../dist/index.js";

const { TASKQ_URL: url, TASKQ_PREFIX: keyPrefix, TASKQ_PARTITIONS, TASKQ_LEASE } = process.env;
const storage = redisStorage({ url, keyPrefix, partitions: Number(TASKQ_PARTITIONS) });
const kept = { for: 1e9, max: 1e6 };
await storage.open({ queue: "main", retention: { completed: kept, failed: kept } });
for (let request = 1; ; request += 1) {
  const { claimed } = await storage.step({
    queue: "main",
    owner: `claimer ${process.pid}`,
    request,
    tasks: ["work"],
    settled: [],
    begun: [],
    claim: { begin: 3, ahead: 3, lease: Number(TASKQ_LEASE) },
  });
  process.send(claimed.map(({ id }) => id));
  await new Promise((resolve) => setTimeout(resolve, 1));
}
