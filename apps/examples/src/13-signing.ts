/** Signed and encrypted messages: what a stranger with write access gets, and how keys rotate. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createConsumer, drain } from "@taskq/consumer";
import { compressed, createQueue, task, TaskqError, type Serializer } from "@taskq/core";
import { signedSerializer, type SigningKey } from "@taskq/signed-serializer";
import { sqliteStorage } from "@taskq/sqlite";
import Database from "better-sqlite3";

const pay = task("pay", async ({ to, cents }: { to: string; cents: number }) => `${cents} to ${to}`);
const folder = await mkdtemp(join(tmpdir(), "taskq-signing-"));
const path = join(folder, "jobs.db");
const queueWith = (serializer: Serializer) =>
  createQueue({ storage: sqliteStorage({ path }), tasks: { pay }, serializer });

// Secrets come from the environment, or from where you keep them; never from the code.
const old: SigningKey = { id: "2025", secret: "what `openssl rand -base64 32` prints" };
const recent: SigningKey = { id: "2026", secret: "and what it prints another time, later" };

const shop = queueWith(compressed(signedSerializer({ keys: [old], encrypt: true })));
const good = await shop.enqueue(pay.job({ to: "Ada", cents: 500 }));
const bad = await shop.enqueue(pay.job({ to: "Bob", cents: 700 }), { priority: 1 });

const stranger = new Database(path);
const [first, second] = stranger.prepare("SELECT key FROM taskq_jobs ORDER BY key").all() as {
  key: number;
}[];
stranger
  .prepare("UPDATE taskq_jobs SET body = (SELECT body FROM taskq_jobs WHERE key = ?) WHERE key = ?")
  .run(first?.key, second?.key);
stranger.close();
const file = Buffer.concat([await readFile(path), await readFile(`${path}-wal`)]);
console.log("readable in the file:", file.includes("pay"), "its input:", file.includes("Ada"));

// The next release signs with the new key, and still reads the old one.
const next = queueWith(compressed(signedSerializer({ keys: [recent, old], encrypt: true })));
const consumer = createConsumer(next, { workers: 2 });
await consumer.start();
console.log("paid:", await next.result(pay, good.id).wait({ timeout: "5s" }));
const why = await next
  .result(bad.id)
  .wait({ timeout: "5s" })
  .catch((error: unknown) => error);
console.log("copied over another job:", why instanceof TaskqError && why.code);
await consumer.stop();

// Once nothing signed with the old key is left, it goes.
const last = queueWith(signedSerializer({ keys: [recent], encrypt: true }));
const paid = await last.enqueue(pay.job({ to: "Cy", cents: 900 }));
await drain(last);
console.log("paid:", await paid.wait());
const short = await Promise.resolve()
  .then(() => signedSerializer({ secret: "hunter2" }))
  .catch((error: unknown) => error);
console.log(short instanceof TaskqError && `${short.code}: ${short.message}`);

await Promise.all([shop.close(), next.close(), last.close()]);
await rm(folder, { recursive: true });
