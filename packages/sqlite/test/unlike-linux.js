/**
 * Watches a file where `fs.watch` tells as little as on another system, and tells of what it hears, and of its warnings. `macos`: of a
 * folder it tells nothing of files that are open, of a file each write. `windows`, `silent`: nothing.
 */
import fs, { statSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";

const [system] = process.argv.slice(2);
const { watch } = fs;
const platforms = { macos: "darwin", windows: "win32" };
const nothing = () => ({ on: () => {}, close: () => {} });
fs.watch = (path, ...rest) =>
  system === "macos" && statSync(path).isFile() ? watch(path, ...rest) : nothing();
syncBuiltinESMExports();

const { sqliteStorage } = await import("@taskq/sqlite");
Object.defineProperty(process, "platform", { value: platforms[system] ?? process.platform });
process.on("warning", ({ code, message }) => process.send({ code, message }));
const storage = sqliteStorage({ path: process.env.TASKQ_FILE });
const retention = { completed: { for: 1e9, max: 1e6 }, failed: { for: 1e9, max: 1e6 } };
await storage.open({ queue: "main", retention });
storage.watch("main", ({ kind }) => process.send({ kind }));
process.send("watches");
process.on("disconnect", () => process.exit());
