// Not `createRequire` by its name: webpack puts what it makes of it, which is nothing, in its place.
import nodeModule from "node:module";
import { isAbsolute, join } from "node:path";
import { TaskqError } from "@taskq/core/storage";
import type { DriverFactory } from "./driver.js";

/** better-sqlite3 is built for this version of the Node-API from this major version on, and crashes the process below. */
const NEEDED_NODE_API = 10;
const FIRST_WITH_NODE_API = 13;

let loaded: DriverFactory | undefined;

/** Loads better-sqlite3, once a process, unless that would crash it. @throws `TASKQ_STORAGE` */
export function loadDriver(): DriverFactory {
  return (loaded ??= load(requireOfDriver()));
}

/**
 * Found from this file, or else from the program that runs, or where it was started: within a bundle of webpack this file
 * says that it lies where the bundle was made, which may be another machine.
 */
function requireOfDriver(): NodeJS.Require {
  const own = nodeModule.createRequire(here());
  if (findsDriver(own)) return own;
  const places = [process.argv[1] ?? "", startedAt()].filter(isAbsolute);
  return places.map((place) => nodeModule.createRequire(place)).find(findsDriver) ?? own;
}

/** Nothing where the folder was removed since, as that of an earlier release may be. */
function startedAt(): string {
  try {
    return join(process.cwd(), "package.json");
  } catch {
    return "";
  }
}

function findsDriver(require: NodeJS.Require): boolean {
  try {
    require.resolve("better-sqlite3/package.json");
    return true;
  } catch {
    return false;
  }
}

/**
 * Within a bundle of CommonJS, `import.meta` has no URL, and better-sqlite3 is found from where the bundle lies. In one piece,
 * for tools that know no more of it than `import.meta.url` (Babel, for Jest).
 */
function here(): string {
  const url = import.meta.url as string | undefined;
  return url ?? __filename;
}

function load(require: NodeJS.Require): DriverFactory {
  let version: string | undefined;
  try {
    ({ version } = require("better-sqlite3/package.json") as { version: string });
    refuseCrash(version, process.versions.napi, process.version);
    const factory = require("better-sqlite3") as DriverFactory;
    // Its binary is loaded with the first database: with one in memory, before a file is made.
    new factory(":memory:", { timeout: 0 }).close();
    return factory;
  } catch (error) {
    throw error instanceof TaskqError ? error : notLoaded(version, error);
  }
}

function notLoaded(version: string | undefined, cause: unknown): TaskqError {
  const message = cause instanceof Error ? cause.message : String(cause);
  const refusal =
    version === undefined
      ? `better-sqlite3 could not be loaded in Node ${process.version}: it is not found from where @taskq/sqlite lies, ` +
        "nor from the program that runs; 'npm install better-sqlite3@12' puts it there, for a bundle too"
      : `better-sqlite3 ${version} could not be loaded in Node ${process.version}; ${remedyOf(cause)}`;
  return new TaskqError("TASKQ_STORAGE", `${refusal}: ${message}`, { cause });
}

function remedyOf(cause: unknown): string {
  if (cause instanceof Error && "code" in cause && cause.code === "ERR_DLOPEN_DISABLED")
    return "it is a native addon, which --no-addons forbids, and the permission model without --allow-addons (not in Node 20)";
  return (
    "if it was not compiled, or for another Node, 'npm rebuild better-sqlite3' helps, with pnpm 'pnpm approve-builds' and " +
    "'pnpm rebuild better-sqlite3'"
  );
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
