import { createQueue, task, type Queue } from "@taskq/core";
import { sqliteStorage } from "@taskq/sqlite";
import { pause } from "../clock.js";
import { neverReaping } from "./never-reaping.js";
import type { Recorder } from "./recorder.js";

export interface Work {
  /** Names the job in this harness; ids are the storage's. */
  readonly key: string;
  /** How long the handler takes. */
  readonly milliseconds: number;
}
/** What every job returns: the keys that its result came through. */
export interface Trail {
  readonly trail: readonly string[];
}

/** A single job, and the first stage of a pipeline or a member of a group. */
export const work = task("work", async (input: Work, context): Promise<Trail> => {
  recorder.started(input.key, context);
  await pause(input.milliseconds);
  recorder.ended(input.key, context);
  return { trail: [input.key] };
});

/** A later stage: adds its key to the trail of the one before. */
export const stage = task("stage", async (input: Work & Trail, context): Promise<Trail> => {
  recorder.started(input.key, context);
  await pause(input.milliseconds);
  recorder.ended(input.key, context);
  return { trail: [...input.trail, input.key] };
});

/** The callback of a group: its trail is that of its members, as handed to it. */
export const callback = task(
  "callback",
  async ({ key, milliseconds, input }: Work & { input: readonly Trail[] }, context): Promise<Trail> => {
    recorder.started(key, context);
    await pause(milliseconds);
    recorder.ended(key, context);
    return { trail: [...input.map(({ trail }) => trail.join("+")), key] };
  },
);

const silent: Recorder = { started() {}, ended() {}, stored() {} };
let recorder: Recorder = silent;

/** Where the handlers of this process write down what they do. */
export function recordTo(target: Recorder): void {
  recorder = target;
}

export type ChaosQueue = Queue<"work" | "stage" | "callback">;

/** The queue of the harness; `popping`: on a storage that never gives back what a dead consumer held. */
export function openChaosQueue(path: string, popping: boolean): ChaosQueue {
  const storage = sqliteStorage({ path });
  return createQueue({
    storage: popping ? neverReaping(storage) : storage,
    tasks: { work, stage, callback },
  });
}
