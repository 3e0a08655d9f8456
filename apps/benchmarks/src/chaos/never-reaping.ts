import type { Storage } from "@taskq/core";

const NOTHING = { reaped: [], effects: [], nextAt: undefined };

/**
 * A storage that pops destructively, as a list does: what a consumer held when it was killed is gone, since no lease of
 * it is ever reaped. Only to show that the harness notices.
 */
export function neverReaping(storage: Storage): Storage {
  return new Proxy(storage, {
    get(target, property) {
      if (property === "reap") return async () => NOTHING;
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
}
