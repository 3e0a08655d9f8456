import { setImmediate } from "node:timers/promises";
import { nanoseconds, pause } from "../clock.js";
import {
  payload,
  payloads,
  type CompetitorName,
  type Durability,
  type Guard,
  type Protection,
  type Session,
} from "../peers/competitor.js";
import { loadCompetitor } from "../peers/competitors.js";
import type { Channel } from "./channel.js";

/**
 * `awaited`: one call a job, each awaited. `bulk`: 1,000 a call. `tick`: 1,000 calls in one tick, then awaited.
 * `server`: 100 calls in one tick, then awaited, as a busy server does. `paced`: one each 10 ms, with its instant.
 * `round-trip`: one after the other, each with its result. `due`: in bulk, all of them due at one instant to come. `stamped`: in
 * bulk, each with an instant, which makes its JSON 100 bytes.
 */
export type ProduceMode = "awaited" | "bulk" | "tick" | "server" | "paced" | "round-trip" | "due" | "stamped";

export interface Produce {
  readonly competitor: CompetitorName;
  readonly path: string;
  readonly durability: Durability;
  readonly mode: ProduceMode;
  readonly jobs: number;
  /** Of those, the first so many, by which both sides get warm: one after the other, and not measured. Where latencies are measured. */
  readonly warmUp?: number | undefined;
  readonly guard?: Guard | undefined;
  readonly protection?: Protection | undefined;
}
export interface ProduceAnswer {
  readonly startedAt: number;
  readonly endedAt: number;
  /** Milliseconds of each round trip. */
  readonly latencies: readonly number[];
  /** When all of them became due, where that is an instant to come. */
  readonly dueAt: number | undefined;
  /** Jobs stored and not completed when it had ended: all of them where nobody consumes. */
  readonly unfinished: number;
}

/** Stores jobs and measures how long it takes. */
export async function produce(configuration: Produce, channel: Channel): Promise<ProduceAnswer> {
  const { competitor, path, durability, mode, jobs, warmUp = 0, guard, protection } = configuration;
  const session = await (await loadCompetitor(competitor)).open({ path, durability, guard, protection });
  await channel.ready();
  const startedAt = nanoseconds();
  const { latencies = [], dueAt } = await modes[mode](session, jobs, warmUp);
  const endedAt = nanoseconds();
  const unfinished = await session.unfinished();
  await session.close();
  return { startedAt, endedAt, latencies, dueAt, unfinished };
}

interface Produced {
  readonly latencies?: readonly number[];
  readonly dueAt?: number;
}

const modes: {
  readonly [Name in ProduceMode]: (session: Session, jobs: number, warmUp: number) => Promise<Produced>;
} = {
  async awaited(session, jobs) {
    for (let n = 0; n < jobs; n += 1) await session.enqueue(payload(n));
    return {};
  },
  bulk: (session, jobs) => inBulk(session, jobs),
  tick: (session, jobs) => together(session, jobs, 1_000),
  server: (session, jobs) => together(session, jobs, 100),
  async paced(session, jobs, warmUp) {
    for (let n = 0; n < warmUp; n += 1) await session.enqueue(payload(n));
    if (warmUp > 0) await untilFinished(session);
    for (let n = warmUp; n < jobs; n += 1) {
      await pause(10);
      await session.enqueue(payload(n, nanoseconds()));
    }
    return {};
  },
  async "round-trip"(session, jobs, warmUp) {
    const latencies: number[] = [];
    for (let n = 0; n < warmUp; n += 1) await session.roundTrip(payload(n));
    for (let n = warmUp; n < jobs; n += 1) {
      const begun = nanoseconds();
      await session.roundTrip(payload(n));
      latencies.push((nanoseconds() - begun) / 1e6);
    }
    return { latencies };
  },
  async stamped(session, jobs) {
    for (let from = 0; from < jobs; from += 1_000) {
      await session.enqueueMany(payloads(from, 1_000, jobs).map(({ n }) => payload(n, STAMP)));
    }
    return {};
  },
  async due(session, jobs) {
    const due = new Date(Date.now() + SHORTEST_LEAD + jobs * LEAD);
    const dueAt = nanoseconds() + (due.getTime() - Date.now()) * 1e6;
    await inBulk(session, jobs, due);
    if (nanoseconds() > dueAt) throw new Error("storing the jobs took until after they were due");
    return { dueAt };
  },
};

/** As long as the nanoseconds since a machine started some days ago. */
const STAMP = 123_456_789_012_345;
/** How long before they are due jobs begin to be stored: in milliseconds, and for each job. */
const SHORTEST_LEAD = 500;
const LEAD = 0.2;

async function untilFinished(session: Session): Promise<void> {
  while ((await session.unfinished()) > 0) await pause(50);
}

async function inBulk(session: Session, jobs: number, due?: Date): Promise<Produced> {
  for (let from = 0; from < jobs; from += 1_000) await session.enqueueMany(payloads(from, 1_000, jobs), due);
  return {};
}

async function together(session: Session, jobs: number, size: number): Promise<Produced> {
  for (let from = 0; from < jobs; from += size) {
    await Promise.all(payloads(from, size, jobs).map((each) => session.enqueue(each)));
    await setImmediate();
  }
  return {};
}
