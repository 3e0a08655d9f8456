/** A queue in a SQLite file: what lies beside it, a backup while it is in use, and what becomes of a file that is replaced. */
import { createQueue, task, TaskqError } from "@taskq/core";
import { createConsumer } from "@taskq/consumer";
import { sqliteStorage } from "@taskq/sqlite";
import Database from "better-sqlite3";
import { mkdtemp, readdir, rename, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const resize = task("resize", async ({ picture }: { picture: string }) => `small ${picture}`);

const folder = await mkdtemp(join(tmpdir(), "taskq-example-"));
const open = (name: string) =>
  createQueue({ storage: sqliteStorage({ path: join(folder, name) }), tasks: { resize } });
const files = async (): Promise<string> => (await readdir(folder)).toSorted().join(" ");

// Nothing is there before the first use; then SQLite keeps its log and an index of it beside the file.
const queue = open("jobs.db");
console.log("made:", (await files()) || "nothing");
await queue.enqueueMany(["a.png", "b.png", "c.png"].map((picture) => resize.job({ picture })));
console.log("in use:", await files());
console.log("mode:", ((await stat(join(folder, "jobs.db"))).mode & 0o777).toString(8));

// A backup as of one moment, with whatever is in the log, while producers and consumers go on.
const copying = new Database(join(folder, "jobs.db"), { readonly: true });
await copying.backup(join(folder, "backup.db"));
copying.close();

const consumer = createConsumer(queue);
await consumer.start();
const last = await queue.enqueue(resize.job({ picture: "d.png" }));
console.log("worked:", await last.wait({ timeout: "10s" }));
await consumer.stop();
await queue.close();
console.log("closed:", await files());

// What the backup holds is what was there then: what has run since would run again.
const restored = open("backup.db");
console.log("in the backup:", (await restored.counts()).ready, "ready");

// A file that is put in its place while it is open is noticed, so that nothing is stored where nobody looks.
await rename(join(folder, "jobs.db"), join(folder, "backup.db"));
for (let refused: unknown; refused === undefined;) {
  refused = await restored.enqueue(resize.job({ picture: "e.png" })).then(
    () => undefined,
    (error: unknown) => error,
  );
  if (refused !== undefined) console.log("replaced:", refused instanceof TaskqError && refused.code);
}
await restored.close();
await rm(folder, { recursive: true });
