import type { StorageContract } from "@taskq/core/storage";

type Changing = "step" | "reap" | "amend" | "tick" | "enqueue";
const CHANGING: ReadonlySet<string> = new Set<Changing>(["step", "reap", "amend", "tick", "enqueue"]);
const AT_ONCE = 50;

/** When a storage purges by itself is left to it: so that two can be compared, each purges after every call that may end a job. */
export function purging(contract: StorageContract): StorageContract {
  return new Proxy(contract, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property);
      if (typeof value !== "function") return value;
      if (!CHANGING.has(String(property))) return (value as () => unknown).bind(target);
      return async (request: { queue: string; now: number }) => {
        const answer: unknown = await (value as (request: unknown) => unknown).call(target, request);
        for (let more = true; more;) {
          ({ more } = await target.purge({ queue: request.queue, limit: AT_ONCE, now: request.now }));
        }
        return answer;
      };
    },
  });
}
