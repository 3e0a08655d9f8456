/** Watches a file as the system has nothing left to watch it with, and tells of warnings and of what it hears. */
import { closeSync, openSync } from "node:fs";
import { sqliteStorage } from "@taskq/sqlite";

const storage = sqliteStorage({ path: process.env.TASKQ_FILE });
const retention = { completed: { for: 1e9, max: 1e6 }, failed: { for: 1e9, max: 1e6 } };
await storage.open({ queue: "main", retention });
process.on("warning", ({ code, message }) => process.send({ code, message }));
const opened = [];
try {
  while (opened.length < 10_000) opened.push(openSync("/dev/null"));
} catch {
  // No file can be opened any more, nor watched.
}
storage.watch("main", ({ kind }) => process.send({ kind }));
for (const descriptor of opened) closeSync(descriptor);
process.send({ left: opened.length });
process.on("disconnect", () => process.exit());
