/** A claim that waits at the server, and whoever stores jobs. */
import type { NewJob, Settlement, StepAnswer, StepRequest, StorageContract } from "@taskq/core/storage";
import type { Redis } from "ioredis";
import { expect, vi } from "vitest";
import { redisStorage } from "../../src/index.js";
import { keyBase } from "../../src/names.js";
import { afterTest } from "./closing.js";
import type { OwnServer } from "./own-server.js";
import { alone, newJob, QUEUE } from "./spread.js";
import { connect, newPrefix } from "./store.js";

export const PATIENCE = 10_000;
const RETENTION = { completed: { for: 60_000, max: 1e6 }, failed: { for: 60_000, max: 1e6 } };
const CLAIM = { begin: 2, ahead: 0, lease: 30_000, waits: true };

export interface WaitingOptions {
  /** Where the process whose claim waits reaches the server, if not directly. */
  readonly url?: string;
  /** Where jobs are stored, if not at the same server as anybody. */
  readonly storesAt?: string;
  /** Of its calls. */
  readonly timeout?: `${number}ms` | `${number}s`;
}

export interface Waiting {
  readonly prefix: string;
  readonly key: (name: string) => string;
  readonly working: StorageContract;
  readonly storing: StorageContract;
  /** The next step of the owner, with a claim unless told otherwise. */
  readonly ask: (options?: Partial<StepRequest>) => Promise<StepAnswer>;
  /** Until its claim waits. */
  readonly wait: () => Promise<void>;
  /** Stores one job; answers its id. */
  readonly store: (options?: Partial<NewJob>) => Promise<string>;
  /** Stores so many in one call, which are handed to nobody. */
  readonly storeTogether: (count: number) => Promise<string[]>;
  /** The next step of the owner, which settles what an answer has claimed. */
  readonly settle: (answer: StepAnswer, claim?: StepRequest["claim"]) => Promise<StepAnswer>;
  /** Hints that there may be jobs, so far. */
  readonly heard: () => number;
}

/** A storage of one process, whose claim waits, and another one that stores. */
export async function waitingAt(
  own: Readonly<OwnServer>,
  { url = own.server.url, storesAt = own.server.url, timeout = "5s" }: WaitingOptions = {},
): Promise<Waiting> {
  const prefix = newPrefix();
  const working = redisStorage({ url, keyPrefix: prefix, timeout }) as unknown as StorageContract;
  const storing = connect({ url: storesAt }, prefix);
  for (const storage of [working, storing]) {
    afterTest(() => storage.close());
    await storage.open({ queue: QUEUE, retention: RETENTION });
  }
  let ready = 0;
  working.watch(QUEUE, ({ kind }) => void (ready += Number(kind !== "final")), { final: false });
  await vi.waitFor(() => expect(ready).toBeGreaterThan(0), PATIENCE);
  let number = 0;
  const ask: Waiting["ask"] = (options = {}) => {
    number += 1;
    const asked = { queue: QUEUE, owner: "owner", tasks: ["work"], settled: [], begun: [] };
    return working.step({ ...asked, request: number, claim: CLAIM, ...options });
  };
  const store: Waiting["store"] = async (options) => {
    const job = newJob(options);
    await storing.enqueue({ queue: QUEUE, flows: [alone(job)] });
    return job.id;
  };
  const storeTogether: Waiting["storeTogether"] = async (count) => {
    const jobs = Array.from({ length: count }, () => newJob());
    await storing.enqueue({ queue: QUEUE, flows: jobs.map(alone) });
    return jobs.map(({ id }) => id);
  };
  function key(name: string): string {
    return `${keyBase(prefix, QUEUE)}${name}`;
  }
  const settle: Waiting["settle"] = (answer, claim) => ask({ settled: endsOf(answer), claim });
  // Only who had something to do of late leaves claims, and only where it hears what they are handed; the other knows then that it is heard.
  const wait: Waiting["wait"] = () =>
    vi.waitFor(async () => {
      await store();
      await settle(await ask(), CLAIM);
      expect(await own.redis.zcard(key("waiting"))).toBe(1);
    }, PATIENCE);
  await wait();
  await ask({ claim: undefined });
  await vi.waitFor(() => expect(ready).toBeGreaterThan(1), PATIENCE);
  ready = 0;
  return { prefix, key, working, storing, ask, wait, store, storeTogether, settle, heard: () => ready };
}

/** How all that an answer has claimed ended. */
export function endsOf({ claimed }: StepAnswer): Settlement[] {
  const outcome = { kind: "completed", result: undefined } as const;
  const startedAt = Date.now();
  return claimed.map(({ id, fence }) => ({ id, fence, startedAt, outcome, add: undefined }));
}

/** Where the process whose claim waits hears what it is handed. */
export async function channelOf(redis: Redis, prefix: string): Promise<string> {
  const [channel = ""] = (await redis.pubsub("CHANNELS", `${keyBase(prefix, QUEUE)}wake:to:*`)) as string[];
  return channel;
}

/** Ends the connections on which processes hear. */
export async function killListeners(redis: Redis): Promise<void> {
  const listeners = String(await redis.call("CLIENT", "LIST", "TYPE", "pubsub"));
  for (const line of listeners.split("\n").filter((one) => one.includes("taskq-wake"))) {
    await redis.call("CLIENT", "KILL", "ID", /id=(\d+)/.exec(line)?.[1] ?? "");
  }
}
