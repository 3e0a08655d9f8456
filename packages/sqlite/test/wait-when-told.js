/** Waits for a job of a file, and tells how that ended. */
import { createQueue } from "@taskq/core";
import { sqliteStorage } from "@taskq/sqlite";

const { path, id } = JSON.parse(process.argv[2]);
const queue = createQueue({ storage: sqliteStorage({ path }), tasks: {} });
const result = queue.result(id);
process.send?.({ state: await result.state() });
try {
  process.send?.({ value: await result.wait({ timeout: "60s" }) });
} catch (error) {
  process.send?.({ code: error.code });
}
await queue.close();
process.disconnect?.();
