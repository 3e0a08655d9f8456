import { nanoseconds } from "../clock.js";
import { watchLoopDelay } from "../loop-delay.js";
import {
  payloads,
  type CompetitorName,
  type Durability,
  type Guard,
  type Protection,
  type Payload,
} from "../peers/competitor.js";
import { loadCompetitor } from "../peers/competitors.js";
import type { Channel } from "./channel.js";

export interface Consume {
  readonly competitor: CompetitorName;
  readonly path: string;
  readonly durability: Durability;
  readonly workers: number;
  readonly prefetch?: number | undefined;
  readonly guard?: Guard | undefined;
  readonly protection?: Protection | undefined;
  /** Payloads are numbered from 0 up to but without this. */
  readonly jobs: number;
  /**
   * Jobs that are there beyond those measured, numbered from 0 too: they are kept at that number. For each thousand that
   * ran, a thousand more are stored, until `jobs` have run.
   */
  readonly backlog?: number | undefined;
  /** Looks at its own memory, ten times a second. */
  readonly watchMemory?: boolean | undefined;
}
export interface ConsumeAnswer {
  /** How often each payload was run here. */
  readonly runs: Uint8Array;
  /** When the last handler was called, to within 16 jobs; of those measured. */
  readonly lastAt: number;
  /** Milliseconds from `payload.at` until the handler was called, where it is set. */
  readonly latencies: readonly number[];
  /** Jobs left over once this consumer had stopped. */
  readonly unfinished: number;
  readonly loopDelayP999: number;
  /** Jobs stored to keep up the backlog. */
  readonly refilled: number;
  /** Resident bytes, one look after the other. */
  readonly memory: readonly number[];
}

/** The most jobs that are stored at once to keep up the backlog. */
export const REFILL = 1_000;
/** Milliseconds between two looks at the memory. */
const LOOK = 100;

/** Consumes with an asynchronous handler that does nothing, until told to stop. */
export async function consume(configuration: Consume, channel: Channel): Promise<ConsumeAnswer> {
  const {
    competitor,
    path,
    durability,
    workers,
    prefetch,
    guard,
    protection,
    jobs,
    backlog = 0,
  } = configuration;
  const session = await (await loadCompetitor(competitor)).open({ path, durability, guard, protection });
  const runs = new Uint8Array(jobs + (backlog === 0 ? 0 : backlog + REFILL));
  const latencies: number[] = [];
  const chunk = Math.min(REFILL, backlog);
  const refills: unknown[] = [];
  let refilled = 0;
  let count = 0;
  let lastAt = 0;
  const run = async ({ n, at }: Payload): Promise<number> => {
    runs[n] = (runs[n] ?? 0) + 1;
    count += 1;
    if (at > 0) latencies.push((nanoseconds() - at) / 1e6);
    // Reading the clock for every job would be a part of what is measured.
    if ((count % 16 === 0 && count <= jobs) || count === jobs) lastAt = nanoseconds();
    if (chunk > 0 && count % chunk === 0 && count < jobs) {
      refills.push(session.enqueueMany(payloads(backlog + refilled, chunk)));
      refilled += chunk;
    }
    return n;
  };
  await channel.ready();

  const loopDelay = watchLoopDelay();
  const stop = await session.consume({ workers, prefetch, run });
  let told = 0;
  const telling = setInterval(() => {
    if (count === told) return;
    told = count;
    channel.progress(count);
  }, 20);
  const memory: number[] = [];
  const look = (): unknown => memory.push(process.memoryUsage.rss());
  const looking = configuration.watchMemory === true ? setInterval(look, LOOK) : undefined;
  await channel.stopped;
  clearInterval(telling);
  clearInterval(looking);
  const loopDelayP999 = loopDelay.p999();
  await Promise.all([stop(), ...refills]);
  const unfinished = await session.unfinished();
  await session.close();
  return { runs, lastAt, latencies, unfinished, loopDelayP999, refilled, memory };
}
