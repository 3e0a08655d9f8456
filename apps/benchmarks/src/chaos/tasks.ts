import {
  createQueue,
  every,
  Fatal,
  periodic,
  task,
  type Outcome,
  type Queue,
  type Storage,
  type TaskContext,
} from "@taskq/core";
import { pause } from "../clock.js";
import { hardlyLimiting } from "./hardly-limiting.js";
import { neverReaping } from "./never-reaping.js";
import type { Recorder } from "./recorder.js";
import { recordingStorage } from "./recording-storage.js";
import { openStorage, type Store } from "./stores.js";

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

export interface Gated extends Work {
  /** Names a lock, or what may be there once only. */
  readonly gate: string;
}

/** Holds the lock that its input names. */
export const locked = task("locked", { lock: ({ gate }: Gated) => gate }, single);

/** At most three at a time. */
export const SLOTS = 3;
export const slotted = task("slotted", { concurrency: { key: "slots", max: SLOTS } }, single);

/** One unfinished job for each name. */
export const alone = task("alone", { unique: { key: ({ gate }: Gated) => gate } }, single);

/** Milliseconds. */
export const PER = 500;
/** Starts in any window of `PER`. Before others, so that they wait for the limit and not behind those. */
export const LIMIT = 5;
export const limited = task("limited", { limit: { max: LIMIT, per: PER }, priority: 1 }, single);

/** The same for each name. */
export const KEY_LIMIT = 2;
export const limitedByKey = task(
  "limited-by-key",
  { limit: { key: ({ gate }: Gated) => gate, max: KEY_LIMIT, per: PER }, priority: 1 },
  single,
);

async function single(input: Work, context: TaskContext): Promise<Trail> {
  recorder.started(input.key, context);
  await pause(input.milliseconds);
  recorder.ended(input.key, context);
  return { trail: [input.key] };
}

/** A member that fails for good. */
export const failing = task("failing", async (input: Work, context): Promise<Trail> => {
  await single(input, context);
  throw new Fatal("as planned");
});

/** The callback of a group in mode `settled`: its trail is how the members ended. */
export const outcomes = task(
  "outcomes",
  async ({ input, ...own }: Work & { input: readonly Outcome<Trail>[] }, context): Promise<Trail> => {
    const { trail } = await single(own, context);
    return { trail: [...input.map(({ state }) => state), ...trail] };
  },
);

/** The callback of a group of a job and a group. */
export const nested = task(
  "nested",
  async (
    { input, ...own }: Work & { input: readonly [Trail, readonly Trail[]] },
    context,
  ): Promise<Trail> => {
    const { trail } = await single(own, context);
    const [outer, inner] = input;
    return { trail: [...outer.trail, ...inner.flatMap((member) => member.trail), ...trail] };
  },
);

/** Names the jobs of the schedule in the records. */
export const BEAT = "beat-";

/** An instant is in its key: two jobs for one would have the same. */
const beat = periodic("beat", every("200ms"), { overlap: "allow" }, async (context) => {
  const key = `${BEAT}${context.scheduledAt.getTime()}`;
  recorder.started(key, context);
  recorder.ended(key, context);
});

const silent: Recorder = {
  up() {},
  started() {},
  ended() {},
  stored() {},
  claimed() {},
  released() {},
  reaped() {},
};
let recorder = silent;

/** Where the handlers of this process write down what they do. */
export function recordTo(target: Recorder): void {
  recorder = target;
}

const plain = { work, stage, callback };
const gated = {
  ...plain,
  locked,
  slotted,
  alone,
  limited,
  "limited-by-key": limitedByKey,
  failing,
  outcomes,
  nested,
};

export type ChaosTask = keyof typeof gated;
export type ChaosQueue = Queue<ChaosTask>;

/** What is wrong with a storage, to show that the harness notices: see `neverReaping` and `hardlyLimiting`. */
export type Flaw = "popping" | "unlimited";

const flawed: { readonly [Name in Flaw]: (storage: Storage) => Storage } = {
  popping: neverReaping,
  unlimited: hardlyLimiting,
};

export interface ChaosQueueOptions {
  readonly store: Store;
  readonly flaw: Flaw | undefined;
  /** With a schedule. */
  readonly beating: boolean;
}

/** The queue of the harness; what the storage answers goes to `recordTo`. */
export async function openChaosQueue({ store, flaw, beating }: ChaosQueueOptions): Promise<ChaosQueue> {
  const storage = await openStorage(store);
  return createQueue({
    storage: recordingStorage(flaw === undefined ? storage : flawed[flaw](storage), recorder),
    tasks: beating ? { ...gated, beat } : gated,
  }) as ChaosQueue;
}
