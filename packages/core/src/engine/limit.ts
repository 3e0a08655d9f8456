/** `queue.limit`. */
import { milliseconds } from "../duration.js";
import { TaskqError } from "../errors.js";
import { integer, oneOf, refuseUnknown, unexpected } from "../options.js";
import { LARGEST_LIMIT } from "../task-options.js";
import type { Limit, LimitOptions } from "../vocabulary/locks.js";
import type { Engine } from "./engine-types.js";
import { sleep } from "./sleep.js";

export function createLimit(engine: Engine, name: string, options: LimitOptions): Limit {
  refuseUnknown(options, ["max", "per", "onLimit", "timeout", "signal"], "limit");
  if (typeof name !== "string" || name === "")
    throw unexpected("limit name", "a text that is not empty", name);
  const max = integer(options.max, "limit max", { min: 1, max: LARGEST_LIMIT });
  const per = milliseconds(options.per, "limit per");
  const waits = oneOf(options.onLimit ?? "wait", ["wait", "fail"], "limit onLimit") === "wait";
  const timeout = options.timeout === undefined ? undefined : milliseconds(options.timeout, "limit timeout");

  const acquire = async (): Promise<void> => {
    const opening = engine.open();
    if (opening !== undefined) await opening;
    const until = timeout === undefined ? Infinity : Date.now() + timeout;
    for (;;) {
      const now = engine.time.requestNow();
      const operation = engine.makeId(engine.time.now());
      const answer = await engine.storage.take({ queue: engine.name, operation, key: name, max, per, now });
      if (answer.taken) return;
      const pause = Math.max(1, (answer.opensAt ?? engine.time.now() + per) - engine.time.now());
      if (!waits || Date.now() + pause > until) {
        throw new TaskqError("TASKQ_LIMITED", `the limit '${name}' of ${max} in ${per} ms is used up`);
      }
      await sleep(pause, options.signal);
      options.signal?.throwIfAborted();
    }
  };
  return {
    acquire,
    async run<T>(work: () => T): Promise<Awaited<T>> {
      await acquire();
      const output: Awaited<T> = await work();
      return output;
    },
  };
}
