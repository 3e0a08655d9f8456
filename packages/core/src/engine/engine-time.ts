import type { Clock } from "../clock.js";
import type { EngineTime } from "./engine-types.js";

/** The time of a queue whose clock is injected, or else the storage's. */
export function createEngineTime(injected: Clock | undefined, ofStorage: Clock): EngineTime {
  const clock = injected ?? ofStorage;
  return {
    clock,
    override: undefined,
    pass: undefined,
    now() {
      return this.override ?? clock.now();
    },
    requestNow() {
      return this.override ?? (injected === undefined ? undefined : clock.now());
    },
  };
}
