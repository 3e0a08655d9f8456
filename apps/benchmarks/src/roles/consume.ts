import { nanoseconds } from "../clock.js";
import { watchLoopDelay } from "../loop-delay.js";
import type { CompetitorName, Durability, Payload } from "../peers/competitor.js";
import { loadCompetitor } from "../peers/competitors.js";
import type { Channel } from "./channel.js";

export interface Consume {
  readonly competitor: CompetitorName;
  readonly path: string;
  readonly durability: Durability;
  readonly workers: number;
  readonly prefetch?: number | undefined;
  /** Payloads are numbered from 0 up to but without this. */
  readonly jobs: number;
}
export interface ConsumeAnswer {
  /** How often each payload was run here. */
  readonly runs: Uint8Array;
  /** When the last handler was called, to within 16 jobs. */
  readonly lastAt: number;
  /** Milliseconds from `payload.at` until the handler was called, where it is set. */
  readonly latencies: readonly number[];
  /** Jobs left over once this consumer had stopped. */
  readonly unfinished: number;
  readonly loopDelayP999: number;
}

/** Consumes with an asynchronous handler that does nothing, until told to stop. */
export async function consume(configuration: Consume, channel: Channel): Promise<ConsumeAnswer> {
  const { competitor, path, durability, workers, prefetch, jobs } = configuration;
  const session = await (await loadCompetitor(competitor)).open({ path, durability });
  const runs = new Uint8Array(jobs);
  const latencies: number[] = [];
  let count = 0;
  let lastAt = 0;
  const run = async ({ n, at }: Payload): Promise<number> => {
    runs[n] = (runs[n] ?? 0) + 1;
    count += 1;
    if (at > 0) latencies.push((nanoseconds() - at) / 1e6);
    // Reading the clock for every job would be a part of what is measured.
    if (count % 16 === 0 || count >= jobs) lastAt = nanoseconds();
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
  await channel.stopped;
  clearInterval(telling);
  const loopDelayP999 = loopDelay.p999();
  await stop();
  const unfinished = await session.unfinished();
  await session.close();
  return { runs, lastAt, latencies, unfinished, loopDelayP999 };
}
