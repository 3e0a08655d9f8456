import { join } from "node:path";
import type { Storage } from "@taskq/core";
import { memoryStorage } from "@taskq/memory";
import { sqliteStorage } from "../../src/index.js";
import { temporaryFolder } from "../support.js";

export const makeMemory = (): Storage => memoryStorage();
export const makeSqlite = (): Storage => sqliteStorage({ path: join(temporaryFolder(), "jobs.db") });

/** Between what the tests of moving move. */
export const pairs = [
  { name: "SQLite to SQLite", from: makeSqlite, to: makeSqlite },
  { name: "memory to SQLite", from: makeMemory, to: makeSqlite },
  { name: "SQLite to memory", from: makeSqlite, to: makeMemory },
  { name: "memory to memory", from: makeMemory, to: makeMemory },
] as const;
