import { register as registerHook } from "node:module";

let loading: Promise<void> | undefined;

/**
 * From now on, this process imports TypeScript, and takes it for ES modules.
 *
 * Registered for the whole process and not by `tsImport`: that gives the module copies of its own of
 * everything it imports, and a queue made by another copy of `@taskq/core` cannot be served.
 */
export function loadTypeScript(): Promise<void> {
  loading ??= (async () => {
    const { register } = await import("tsx/esm/api");
    // Hooks that came first are asked last: tsx decides on a format only where it is told none.
    registerHook(new URL("./typescript-hook.js", import.meta.url));
    register();
  })();
  return loading;
}
