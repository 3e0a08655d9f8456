import type { Storage } from "@taskq/core";

/** At which of the calls of a move the process ends, and when in it. */
export interface Death {
  /** Counted from 1, over all storages that were given this. */
  readonly call: number;
  readonly when: "before" | "during" | "after";
}

/**
 * A storage whose process ends by SIGKILL at one of its calls of a move (`export` and `import`), for programs that a test
 * starts: whatever they were about to do is not done.
 *
 * @example
 * const dying = dyingStorage({ call: 3, when: "during" });
 * await moveQueue(createQueue({ storage: dying(from), tasks }), createQueue({ storage: dying(to), tasks }));
 */
export function dyingStorage({ call, when }: Death): (storage: Storage) => Storage {
  let calls = 0;
  return (storage) =>
    new Proxy(storage, {
      get(target, property) {
        const value: unknown = Reflect.get(target, property);
        if (typeof value !== "function") return value;
        const method = (value as (request: unknown) => unknown).bind(target);
        if (property !== "export" && property !== "import") return method;
        return async (request: unknown) => {
          calls += 1;
          if (calls !== call) return method(request);
          if (when === "before") die();
          const answer = method(request);
          if (when === "during") setImmediate(die);
          await answer;
          die();
          return answer;
        };
      },
    });
}

function die(): void {
  process.kill(process.pid, "SIGKILL");
}
