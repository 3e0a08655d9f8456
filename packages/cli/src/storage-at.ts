import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { Storage } from "@taskq/core";
import type { Address } from "./place.js";
import { resolvedFrom } from "./resolved-from.js";
import { UserError } from "./user-error.js";

/**
 * The storage at an address, of the package that the user's module would get.
 *
 * @param module The path of the user's module.
 * @param isThere What is asked for is kept there already: a file is not made.
 * @throws {UserError}
 */
export async function storageAt(address: Address, module: string, isThere: boolean): Promise<Storage> {
  if (address.kind === "redis") {
    const { redisStorage } = await packageOf<RedisPackage>("@taskq/redis", "redis://…", module);
    return redisStorage({ url: address.url });
  }
  const path = resolve(address.path);
  if (isThere && !existsSync(path)) throw new UserError(`no database at ${path}`);
  const { sqliteStorage } = await packageOf<SqlitePackage>("@taskq/sqlite", "sqlite:…", module);
  return sqliteStorage({ path });
}

interface RedisPackage {
  readonly redisStorage: (options: { readonly url: string }) => Storage;
}

interface SqlitePackage {
  readonly sqliteStorage: (options: { readonly path: string }) => Storage;
}

async function packageOf<Package>(name: string, address: string, module: string): Promise<Package> {
  const file = resolvedFrom(name, module);
  if (file === undefined) {
    throw new UserError(`${address} needs the package ${name}, which is not installed: npm install ${name}`);
  }
  return (await import(pathToFileURL(file).href)) as Package;
}
