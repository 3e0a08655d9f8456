/** Storages and serializers; and enqueueing in the transaction that writes your own rows. */
import { compressed, createQueue, jsonSerializer, task, TaskqError } from "@taskq/core";
import { createConsumer } from "@taskq/consumer";
import { sqliteStorage } from "@taskq/sqlite";
import Database from "better-sqlite3";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const charge = task("charge", async ({ order }: { order: string }) => ({ receipt: `for ${order}` }));
const echo = task("echo", async (value: { at: Date; seen: Set<string>; size: bigint }) => value);

const folder = await mkdtemp(join(tmpdir(), "taskq-example-"));
const database = new Database(join(folder, "app.db"));
database.exec("create table orders (id text primary key)");

// Your own connection, for transactions; the jobs lie in the same file.
const storage = sqliteStorage({ database, durability: "full" });
const serializer = compressed(jsonSerializer({ maxSize: 65_536 }), { over: 4_096 });
const shop = createQueue({ storage, tasks: { charge, echo }, serializer });

const order = (id: string): void => void database.prepare("insert into orders (id) values (?)").run(id);
const orders = (): unknown => database.prepare("select count(*) from orders").pluck().get();

// Both or neither.
const ready = await shop.prepare(charge.job({ order: "42" }));
const result = await storage.transaction((tx) => {
  order("42");
  return tx.enqueue(ready);
});
console.log("committed:", orders(), "order,", (await shop.counts()).ready, "job");
await storage
  .transaction((tx) => {
    order("43");
    tx.enqueue(shop, charge.job({ order: "43" }));
    throw new Error("changed my mind");
  })
  .catch((error: unknown) => console.log("rolled back:", error instanceof Error && error.message));
console.log("still:", orders(), "order,", (await shop.counts()).ready, "job");

const consumer = createConsumer(shop);
await consumer.start();
console.log("charged:", (await result.wait({ timeout: "5s" })).receipt);

// The default serializer keeps what JSON loses, and refuses what cannot travel.
const value = { at: new Date(0), seen: new Set(["a"]), size: 12n };
const echoed = await (await shop.enqueue(echo.job(value))).wait({ timeout: "5s" });
console.log("kept:", echoed.at.toISOString(), echoed.seen.has("a"), echoed.size);
const large = { ...value, seen: new Set(["x".repeat(100_000)]) };
const refused = await shop.enqueue(echo.job(large)).catch((error: unknown) => error);
console.log("refused:", refused instanceof TaskqError && refused.code);

await consumer.stop();
await shop.close();
console.log("the connection stays yours:", database.open);
database.close();
await rm(folder, { recursive: true });
