import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createQueue, type Storage } from "@taskq/core";
import type { StorageContract } from "@taskq/core/storage";
import { memoryStorage } from "@taskq/memory";
import { sqliteStorage } from "@taskq/sqlite";
import { expect, onTestFinished, test } from "vitest";
import { closing } from "./serving.js";
import { Gate, sleep, temporaryFolder, until } from "./support.js";

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

test("a lock is lost once its time is over, also while the storage leaves its renewals unanswered", async () => {
  const storage = memoryStorage() as Storage & StorageContract;
  const keys = storage.keys.bind(storage);
  const [answers, answer] = [new Gate(), (): void => answers.open()];
  onTestFinished(answer);
  let renewals = 0;
  storage.keys = async (request) => {
    if (request.kind === "renew" && (renewals += 1) > 1) await answers.opened;
    return keys(request);
  };
  const queue = closing(createQueue({ storage, tasks: {} }));
  const began = performance.now();
  const held = await queue.lock("sync", { ttl: 600 }).acquire();
  await until(() => held.signal.aborted, 5_000);
  const took = performance.now() - began;
  expect(held.signal.reason).toMatchObject({ code: "TASKQ_LEASE_LOST" });
  // Renewed once, after 200 ms, and then no more.
  expect(took).toBeGreaterThan(790);
  expect(took).toBeLessThan(1_500);
  answer();
  await held[Symbol.asyncDispose]();
});

test("a lock that is renewed and given back in time is never told to be lost", async () => {
  const queue = closing(createQueue({ storage: memoryStorage(), tasks: {} }));
  const held = await queue.lock("sync", { ttl: 300 }).acquire();
  await sleep(700);
  await held[Symbol.asyncDispose]();
  await sleep(400);
  expect(held.signal.aborted).toBe(false);
});

test("whoever waits for a lock of a queue that closes is told so, though another queue keeps the storage open", async () => {
  const storage = memoryStorage();
  const queue = createQueue({ storage, tasks: {}, name: "one" });
  const other = closing(createQueue({ storage, tasks: {}, name: "other" }));
  await other.counts();
  await queue.lock("sync").acquire();
  const told = queue
    .lock("sync")
    .acquire()
    .catch((error: unknown) => error);
  await sleep(50);
  await queue.close();
  expect(await told).toMatchObject({ code: "TASKQ_CLOSED" });
});
