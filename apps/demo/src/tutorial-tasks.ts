/** The tasks of the tutorial: one for each thing that a queue is there for. */
import { every, periodic, task } from "@taskq/core";
import { setTimeout as sleep } from "node:timers/promises";
import { decimalsOfPi } from "./pi.js";

export const add = task("add", async ({ a, b }: { a: number; b: number }) => a + b);

/** Waits for a slow neighbour; the worker's event loop is free meanwhile. */
export const slowIo = task("slow-io", { timeout: "10s" }, async (seconds: number, { signal }) => {
  await sleep(seconds * 1_000, undefined, { signal });
  return "done";
});

/** Fails twice, then works: three retries are enough, and with its priority it goes before all others. */
export const flaky = task(
  "flaky",
  { retries: 3, backoff: "300ms", priority: 100 },
  async (_: void, context) => {
    if (context.attempt < 3) throw new Error("503 Service Unavailable");
    return `worked on run ${context.attempt}`;
  },
);

/** Keeps the processor busy; a job may know its own id. */
export const pi = task("pi", async (decimals: number, { id }) => ({ id, decimals: decimalsOfPi(decimals) }));

/** One at a time, however many workers there are: those that wait take up none of them. */
export const sync = task("sync", { lock: "daily-sync" }, async (account: string) => {
  const startedAt = Date.now();
  await sleep(350);
  return { account, startedAt, endedAt: Date.now() };
});

export const reminder = task("reminder", async (text: string) => ({ text, ranAt: Date.now() }));

/** Is revoked before it is due: if it ever runs, the value tells. */
export const neverRuns = task("never-runs", async (_: void, { values }) =>
  values.set("never-runs", "it ran"),
);

export const number = task("number", async (value: number) => value);
export const multiply = task(
  "multiply",
  async ({ input, factor }: { input: number; factor: number }) => input * factor,
);
export const store = task("store", async (value: number, { values }) => values.set("pipeline", value));

/** Both consumers would fire it; each instant makes one job all the same, which goes before a crowd of others. */
export const heartbeat = periodic(
  "heartbeat",
  every("2s"),
  { priority: 10 },
  async ({ scheduledAt, values }) => {
    await values.increment("heartbeats");
    const times = await values.increment(`heartbeat:${scheduledAt.getTime()}`);
    if (times > 1) await values.increment("heartbeats-twice");
  },
);
