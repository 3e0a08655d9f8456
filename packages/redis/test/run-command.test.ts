/** `taskq run` on Redis, as a process. */
import { createQueue, task } from "@taskq/core";
import { describe, expect, test } from "vitest";
import { redisStorage } from "../src/index.js";
import { folderWith } from "./moving/folder.js";
import { Taskq } from "./moving/processes.js";
import { serverBinary } from "./servers/binary.js";
import { serverOfTest } from "./support/callers.js";
import { afterTest } from "./support/closing.js";

const MODULE = `
import { createQueue, task } from "@taskq/core";
import { redisStorage } from "@taskq/redis";
const storage = redisStorage({ url: process.env.REDIS, timeout: "500ms" });
const lasting = task("lasting", (_, { signal }) => new Promise((_, reject) => (signal.onabort = () => reject(signal.reason))));
export const shop = createQueue({ name: "shop", storage, tasks: { lasting } });
`;

describe.skipIf(serverBinary() === undefined)("taskq run", { timeout: 60_000 }, () => {
  test("says that its server is away and answers again, and that what has ended was not settled", async () => {
    const server = await serverOfTest({ arguments: ["--appendonly", "yes"] });
    const folder = folderWith({ "queue.js": MODULE });
    const command = new Taskq(folder, ["run", "./queue.js", "--verbose"], { REDIS: server.url });
    afterTest(async () => {
      command.kill("SIGKILL");
      await command.ended;
    });
    const says = (text: string) => expect.poll(() => command.output, { timeout: 15_000 }).toContain(text);
    await says("running;");
    await server.kill();
    await says(
      "warning: queue 'shop': the storage does not answer; the consumer goes on asking (TaskqError: ",
    );
    await server.restart();
    await says("\nqueue 'shop': the storage answers again\n");
    const lasting = task("lasting", async () => {});
    const queue = createQueue({
      name: "shop",
      storage: redisStorage({ url: server.url }),
      tasks: { lasting },
    });
    await queue.enqueue(lasting.job());
    await queue.close();
    await says("started  ");
    await server.kill();
    command.kill("SIGTERM");
    await says("stopping: 1 job");
    command.kill("SIGTERM");
    await says(
      "warning: queue 'shop': runs could not be settled: they run again once their leases are over (runs: 1)",
    );
    expect((await command.ended).code).toBe(0);
  });
});
