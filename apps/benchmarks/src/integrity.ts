import Database from "better-sqlite3";

/** `ok`, or what SQLite finds wrong with a file. */
export function checkIntegrity(path: string): string {
  const database = new Database(path);
  try {
    return String(database.pragma("integrity_check", { simple: true }));
  } finally {
    database.close();
  }
}
