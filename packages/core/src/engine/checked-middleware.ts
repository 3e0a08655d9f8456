import { callable, refuseUnknown, unexpected } from "../options.js";
import type { Middleware } from "../vocabulary/middleware.js";

const LAYERS = ["run", "enqueue"] as const;

/** The middleware, if it is one: an object of the two, or of a class that has one of them. @throws `TASKQ_OPTION` */
export function checkedMiddleware(middleware: Middleware): Middleware {
  // What a class keeps in fields of its own is no misspelt option.
  if (!isOfClass(middleware)) refuseUnknown(middleware, LAYERS, "middleware");
  else if (LAYERS.every((name) => middleware[name] === undefined))
    throw unexpected("middleware", "an object with 'run' or 'enqueue'", middleware);
  for (const name of LAYERS) {
    const layer: unknown = middleware[name];
    if (layer !== undefined) callable(layer as () => unknown, `middleware ${name}`);
  }
  return middleware;
}

function isOfClass(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype !== null && Object.getPrototypeOf(prototype) !== null;
}
