/**
 * A hook of Node's module loader, in a thread of its own: every `.ts` file is an ES module.
 *
 * Where package.json does not say `"type": "module"`, tsx would load it as CommonJS: another copy of
 * `@taskq/core` then, and no top-level await.
 */
import type { ResolveHook } from "node:module";

export const resolve: ResolveHook = async (specifier, context, nextResolve) => {
  const resolved = await nextResolve(specifier, context);
  const isTypeScript = /\.ts(?:\?|$)/.test(resolved.url) && !resolved.url.includes("/node_modules/");
  return isTypeScript ? { ...resolved, format: "module" } : resolved;
};
