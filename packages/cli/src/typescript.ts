import { register as registerHook } from "node:module";
import { nearestTsconfig, tsconfigRefused } from "./tsconfig.js";

interface Loader {
  /** What it follows. */
  readonly tsconfig: string | undefined;
  unregister(): Promise<void>;
}

let loader: Loader | undefined;

/**
 * From now on, this process imports TypeScript, and takes it for ES modules. What is compiled follows the `tsconfig.json`
 * nearest to this module, wherever the process was started, or the one that `TSX_TSCONFIG_PATH` names.
 *
 * Registered for the whole process and not by `tsImport`: that gives the module copies of its own of
 * everything it imports, and a queue made by another copy of `@taskq/core` cannot be served.
 *
 * @throws {UserError} for a `tsconfig.json` that cannot be followed
 */
export async function loadTypeScript(module: string): Promise<void> {
  const tsconfig = process.env["TSX_TSCONFIG_PATH"] ?? nearestTsconfig(module);
  if (loader !== undefined && loader.tsconfig === tsconfig) return;
  const { register } = await import("tsx/esm/api");
  // Hooks that came first are asked last: tsx decides on a format only where it is told none.
  if (loader === undefined) registerHook(new URL("./typescript-hook.js", import.meta.url));
  else await loader.unregister();
  try {
    // Left out, it would take the one of the folder that the process was started in.
    loader = { tsconfig, unregister: register({ tsconfig: tsconfig ?? false }) };
  } catch (error) {
    throw tsconfigRefused(tsconfig ?? "tsconfig.json", "followed", error);
  }
}
