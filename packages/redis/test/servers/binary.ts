/** Which server binary the tests start: the order is that of `.ci/redis-server.mjs`, which fetches one if it must. */
import { execFileSync } from "node:child_process";
import { accessSync, constants, existsSync, readFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export interface ServerBinary {
  readonly path: string;
  /** With the folder of its libraries, if it is a private copy. */
  readonly environment: NodeJS.ProcessEnv;
  /** `redis` or `valkey`. */
  readonly kind: "redis" | "valkey";
}

/** The URL of a guest's server, on which tests keep to their own key prefix and change nothing else. */
export const guestUrl: string | undefined = process.env["TASKQ_REDIS_URL"];

/** Written by `.ci/redis-server.mjs`: the path of a private copy, and the folders of its libraries. */
const privateCopy = join(repository(), ".cache", "tools", "redis", "copy.json");

let found: ServerBinary | undefined | null = null;

/** The binary to start, or `undefined` if there is none on this machine. */
export function serverBinary(): ServerBinary | undefined {
  if (found === null) found = search();
  return found;
}

/** The Valkey binary, if there is one. */
export function valkeyBinary(): ServerBinary | undefined {
  const path = onPath("valkey-server");
  if (path !== undefined) return { path, environment: process.env, kind: "valkey" };
  const any = serverBinary();
  return any?.kind === "valkey" ? any : undefined;
}

/** Its root, from the sources as from `dist`. */
function repository(): string {
  const here = dirname(fileURLToPath(import.meta.url));
  for (let folder = here; ; folder = dirname(folder)) {
    if (existsSync(join(folder, "pnpm-workspace.yaml")) || folder === dirname(folder)) return folder;
  }
}

function search(): ServerBinary | undefined {
  const path = process.env["TASKQ_REDIS_SERVER"] ?? onPath("redis-server") ?? onPath("valkey-server");
  if (path !== undefined) return { path, environment: process.env, kind: kindOf(path, process.env) };
  if (!existsSync(privateCopy)) return undefined;
  const copy = JSON.parse(readFileSync(privateCopy, "utf8")) as { binary: string; libraries: string[] };
  const environment = { ...process.env, LD_LIBRARY_PATH: copy.libraries.join(delimiter) };
  return { path: copy.binary, environment, kind: kindOf(copy.binary, environment) };
}

function kindOf(path: string, env: NodeJS.ProcessEnv): "redis" | "valkey" {
  return /valkey/i.test(execFileSync(path, ["--version"], { env, encoding: "utf8" })) ? "valkey" : "redis";
}

function onPath(name: string): string | undefined {
  for (const folder of (process.env["PATH"] ?? "").split(delimiter)) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // not in this folder
    }
  }
  return undefined;
}
