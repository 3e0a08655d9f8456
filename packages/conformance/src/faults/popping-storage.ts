import type { Storage } from "@taskq/core";
import type { ReapAnswer, StorageContract } from "@taskq/core/storage";

const NOTHING: ReapAnswer = { reaped: [], effects: [], nextAt: undefined };

/**
 * A storage that pops destructively, as a list that is popped from does: what a consumer holds when it is killed is
 * gone, since no lease of it is ever reaped.
 *
 * It breaks what storages promise, on purpose: a harness that kills consumers and looks for lost jobs must fail with it.
 *
 * @example await expect(killHarness(poppingStorage(storage))).rejects.toThrow("lost");
 */
export function poppingStorage(storage: Storage | StorageContract): StorageContract & Storage {
  return new Proxy(storage, {
    get(target, property) {
      if (property === "reap") return async () => NOTHING;
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === "function"
        ? (value as (...parameters: unknown[]) => unknown).bind(target)
        : value;
    },
  }) as StorageContract & Storage;
}
