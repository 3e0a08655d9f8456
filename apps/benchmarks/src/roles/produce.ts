import { setImmediate } from "node:timers/promises";
import { nanoseconds, pause } from "../clock.js";
import { payload, type CompetitorName, type Durability, type Session } from "../peers/competitor.js";
import { loadCompetitor } from "../peers/competitors.js";
import type { Channel } from "./channel.js";

/**
 * `awaited`: one call a job, each awaited. `bulk`: 1,000 a call. `tick`: 1,000 calls in one tick, then awaited.
 * `server`: 100 calls in one tick, then awaited, as a busy server does. `paced`: one each 10 ms, with its instant.
 * `round-trip`: one after the other, each with its result.
 */
export type ProduceMode = "awaited" | "bulk" | "tick" | "server" | "paced" | "round-trip";

export interface Produce {
  readonly competitor: CompetitorName;
  readonly path: string;
  readonly durability: Durability;
  readonly mode: ProduceMode;
  readonly jobs: number;
}
export interface ProduceAnswer {
  readonly startedAt: number;
  readonly endedAt: number;
  /** Milliseconds of each round trip. */
  readonly latencies: readonly number[];
  /** Jobs stored and not completed when it had ended: all of them where nobody consumes. */
  readonly unfinished: number;
}

/** Stores jobs and measures how long it takes. */
export async function produce(configuration: Produce, channel: Channel): Promise<ProduceAnswer> {
  const { competitor, path, durability, mode, jobs } = configuration;
  const session = await (await loadCompetitor(competitor)).open({ path, durability });
  await channel.ready();
  const startedAt = nanoseconds();
  const latencies = await modes[mode](session, jobs);
  const endedAt = nanoseconds();
  const unfinished = await session.unfinished();
  await session.close();
  return { startedAt, endedAt, latencies, unfinished };
}

type Mode = (session: Session, jobs: number) => Promise<readonly number[]>;

const modes: Readonly<Record<ProduceMode, Mode>> = {
  async awaited(session, jobs) {
    for (let n = 0; n < jobs; n += 1) await session.enqueue(payload(n));
    return [];
  },
  async bulk(session, jobs) {
    for (let from = 0; from < jobs; from += 1_000) await session.enqueueMany(payloads(from, 1_000, jobs));
    return [];
  },
  tick: (session, jobs) => together(session, jobs, 1_000),
  server: (session, jobs) => together(session, jobs, 100),
  async paced(session, jobs) {
    for (let n = 0; n < jobs; n += 1) {
      await pause(10);
      await session.enqueue(payload(n, nanoseconds()));
    }
    return [];
  },
  async "round-trip"(session, jobs) {
    const latencies: number[] = [];
    for (let n = 0; n < jobs; n += 1) {
      const begun = nanoseconds();
      await session.roundTrip(payload(n));
      latencies.push((nanoseconds() - begun) / 1e6);
    }
    return latencies;
  },
};

async function together(session: Session, jobs: number, size: number): Promise<readonly number[]> {
  for (let from = 0; from < jobs; from += size) {
    await Promise.all(payloads(from, size, jobs).map((each) => session.enqueue(each)));
    await setImmediate();
  }
  return [];
}

function payloads(from: number, size: number, jobs: number): ReturnType<typeof payload>[] {
  return Array.from({ length: Math.min(size, jobs - from) }, (_, index) => payload(from + index));
}
