import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createQueue } from "@taskq/core";
import { sqliteStorage } from "@taskq/sqlite";
import { expect, onTestFinished, test } from "vitest";
import { closing } from "./serving.js";
import { sleep, temporaryFolder } from "./support.js";

const TTL = 3_000;
const script = fileURLToPath(new URL("./fixtures/waiting-for-a-lock.mjs", import.meta.url));

test("a lock that was granted while its process stood still is held for its whole time", async () => {
  const path = join(await temporaryFolder(), "jobs.db");
  const queue = closing(createQueue({ storage: sqliteStorage({ path }), tasks: {} }));
  const held = await queue.lock("sync").acquire();
  const child = fork(script, [JSON.stringify({ path, ttl: TTL })]);
  onTestFinished(() => void child.kill("SIGKILL"));
  expect((await once(child, "message"))[0]).toEqual({ type: "waits" });
  child.kill("SIGSTOP");
  await held[Symbol.asyncDispose]();
  await sleep(TTL * 0.8);
  child.kill("SIGCONT");
  const [message] = await once(child, "message");
  expect(message).toMatchObject({ type: "holds" });
  // Less than until the first renewal is as good as lost.
  expect((message as { readonly left: number }).left).toBeGreaterThan(TTL / 2);
});
