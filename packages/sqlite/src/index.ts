/** `@taskq/sqlite`: a storage in one file, for any number of processes of one machine. */
export { sqliteStorage } from "./sqlite-storage.js";
export type { SqliteStorage, SqliteTransaction } from "./api.js";
export type { SqliteDatabase, SqliteStatement } from "./database.js";
export type { SqliteOptions, SqliteSource } from "./options.js";
