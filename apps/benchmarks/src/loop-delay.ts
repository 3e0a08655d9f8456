import { monitorEventLoopDelay } from "node:perf_hooks";

/**
 * Watches how late the event loop is, from now on: milliseconds that 99.9 % of the samples stay within, and the most.
 */
export function watchLoopDelay(): { p999(): number; max(): number } {
  // Its samples are the intervals between two timers 10 ms apart, so an idle loop already shows 10 ms.
  const histogram = monitorEventLoopDelay({ resolution: 10 });
  histogram.enable();
  return { p999: () => histogram.percentile(99.9) / 1e6, max: () => histogram.max / 1e6 };
}
