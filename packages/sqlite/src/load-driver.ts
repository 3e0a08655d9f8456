import { createRequire } from "node:module";
import { TaskqError } from "@taskq/core/storage";
import type { DriverFactory } from "./driver.js";

/** better-sqlite3 is built for this version of the Node-API from this major version on, and crashes the process below. */
const NEEDED_NODE_API = 10;
const FIRST_WITH_NODE_API = 13;

let loaded: DriverFactory | undefined;

/** Loads better-sqlite3, unless that would crash the process. @throws `TASKQ_STORAGE` */
export function loadDriver(): DriverFactory {
  if (loaded !== undefined) return loaded;
  const require = createRequire(import.meta.url);
  const manifest = require("better-sqlite3/package.json") as { version: string };
  refuseCrash(manifest.version, process.versions.napi, process.version);
  try {
    loaded = require("better-sqlite3") as DriverFactory;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new TaskqError(
      "TASKQ_STORAGE",
      `better-sqlite3 ${manifest.version} could not be loaded: ${message}`,
      {
        cause: error,
      },
    );
  }
  return loaded;
}

/** @throws `TASKQ_STORAGE` where this better-sqlite3 would bring this Node down. */
export function refuseCrash(version: string, nodeApi: string | undefined, node: string): void {
  const major = Number.parseInt(version, 10);
  const offered = Number.parseInt(nodeApi ?? "0", 10);
  if (major < FIRST_WITH_NODE_API || offered >= NEEDED_NODE_API) return;
  throw new TaskqError(
    "TASKQ_STORAGE",
    `better-sqlite3 ${version}: expected Node-API ${NEEDED_NODE_API} or later, got ${offered} in Node ${node}, ` +
      "which it would crash; use better-sqlite3 12 there, or Node 22.14 or later",
  );
}
