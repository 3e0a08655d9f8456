/** Holds the write lock of a file for so many milliseconds, and says when it has it. */
import { createRequire } from "node:module";

const Database = createRequire(import.meta.url)("better-sqlite3");
const [path, milliseconds] = process.argv.slice(2);
const database = new Database(path);
database.exec("BEGIN IMMEDIATE");
process.send("held");
setTimeout(() => {
  database.exec("COMMIT");
  database.close();
  process.disconnect();
}, Number(milliseconds));
