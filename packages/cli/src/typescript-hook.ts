/**
 * A hook of Node's module loader, in a thread of its own: every `.ts` and `.tsx` file is an ES module.
 *
 * Where package.json does not say `"type": "module"`, tsx would load it as CommonJS: another copy of
 * `@taskq/core` then, no top-level await, and imports that are not found by the names that a build gives them.
 */
import type { ResolveHook } from "node:module";

export const resolve: ResolveHook = async (specifier, context, nextResolve) => {
  const resolved = await nextResolve(specifier, context);
  const isTypeScript = /\.tsx?(?:[?#]|$)/.test(resolved.url) && !resolved.url.includes("/node_modules/");
  return isTypeScript ? { ...resolved, format: "module" } : resolved;
};
